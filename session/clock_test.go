package session_test

import (
	"log/slog"
	"math"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cloakroom/cloakroom/test/world/parts"

	"github.com/cloakroom/cloakroom/session"
	"github.com/cloakroom/cloakroom/session/clock"
)

// A hand is a clock that can be set. It runs on as the bubble's does.
type hand struct{ ahead atomic.Int64 }

func (h *hand) set(ahead time.Duration) { h.ahead.Store(int64(ahead)) }
func (h *hand) now() time.Time          { return time.Now().Add(time.Duration(h.ahead.Load())).Round(0) }

// A replica is a process whose machine's clock can be set.
type replica struct {
	*world
	machine *hand
	clock   *clock.Clock
	told    *parts.Log
	slept   atomic.Int64
}

// clocked runs a test with replicas over a store whose clock can be set, too. Their machines'
// clocks are ahead by so much.
func clocked(t *testing.T, test func(t *testing.T, store *hand, replicas []*replica), ahead ...time.Duration) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		server := &hand{}
		var replicas []*replica
		for _, d := range ahead {
			r := &replica{machine: &hand{}, told: &parts.Log{}}
			r.machine.set(d)
			clock := func(o *session.Options) {
				r.clock = clock.New(clock.Options{
					Wall:   r.machine.now,
					Slept:  func() time.Duration { return time.Duration(r.slept.Load()) },
					Shared: true, Logger: slog.New(slog.NewTextHandler(r.told, nil)), Metrics: o.Metrics,
				})
				o.Clock = r.clock
			}
			if len(replicas) == 0 {
				r.world = newWorld(t, clock)
				r.store.SetClock(func() (time.Time, error) { return server.now(), nil })
			} else {
				r.world = replicas[0].another(clock)
				r.store = replicas[0].store
			}
			replicas = append(replicas, r)
		}
		test(t, server, replicas)
		for _, r := range replicas {
			r.Close()
		}
	})
}

// sweep is what a replica does all the time, for so long.
func sweep(t *testing.T, lasts time.Duration, replicas ...*replica) {
	t.Helper()
	for end := time.Now().Add(lasts); time.Now().Before(end); time.Sleep(5 * time.Second) {
		for _, r := range replicas {
			if _, err := r.EndExpired(t.Context(), 100); err != nil {
				t.Fatalf("sweep: %v", err)
			}
		}
	}
}

func wantTime(t *testing.T, c *clock.Clock, want time.Time, within time.Duration) {
	t.Helper()
	if off := c.Now().Sub(want); off.Abs() > within {
		t.Errorf("the clock is %v off, want %v at most", off, within)
	}
}

// A replica whose machine's clock is wrong, or jumps, judges sessions as the others do.
func TestWrongClockOfAReplicaEndsNobodysSession(t *testing.T) {
	for _, off := range []time.Duration{24 * time.Hour, -24 * time.Hour, 3 * time.Minute, -5 * time.Minute} {
		t.Run(off.String(), func(t *testing.T) {
			clocked(t, func(t *testing.T, _ *hand, all []*replica) {
				right, wrong := all[0], all[1]
				_, c := right.start()
				_, other := wrong.start(func(r *session.Record) { r.SID = "sid-2" })
				for range 20 {
					sweep(t, 2*time.Minute, right, wrong)
					for _, r := range all {
						r.wantCalls(c, nil)
						r.wantCalls(other, nil)
					}
				}
				wrong.machine.set(0) // it is set right, and wrong again for a moment
				sweep(t, 12*time.Second, right, wrong)
				wrong.machine.set(2 * off)
				sweep(t, 12*time.Second, right, wrong)
				for _, r := range all {
					r.wantCalls(c, nil)
				}
				sweep(t, idle-time.Minute, right, wrong)
				right.wantCalls(other, nil)
				sweep(t, idle+time.Minute, right, wrong)
				for _, r := range all {
					r.wantCalls(c, session.ErrSessionExpired)
				}
				if n := len(right.outbox()); n != 2 {
					t.Errorf("sessions that were ended = %d, want both, now that they have run out", n)
				}
			}, 0, off)
		})
	}
}

// Before the store was asked nobody knows the time, and nobody is logged out by a guess.
func TestUnknownTimeLogsNobodyOut(t *testing.T) {
	clocked(t, func(t *testing.T, _ *hand, all []*replica) {
		_, c := all[0].start()
		all[1].store.Fail("ping")
		if _, known := all[1].ClockAhead(); known {
			t.Error("the time is known before the store was asked")
		}
		_, err := all[1].FromRequest(with(c))
		wantUnavailable(t, err)
		_, err = all[1].Start(t.Context(), newAnswer(), record(), "")
		wantUnavailable(t, err)
		if v := all[1].metric("cloakroom_clock_offset_seconds"); !math.IsNaN(v) {
			t.Errorf("metric = %v, want NaN", v)
		}
		all[1].store.BeforeAny(nil)
		all[1].wantCalls(c, nil)
		if v := all[1].metric("cloakroom_clock_offset_seconds"); math.Abs(v-24*3600) > 1 {
			t.Errorf("metric = %v, want a day", v)
		}
		sweep(t, time.Minute, all[1])
		all[1].wantCalls(c, nil)
	}, 0, 24*time.Hour)
}

// A store that takes no writes, such as one that is out of memory, is unavailable for them alone: a
// replica that has just been started reads sessions, and knows what time it is.
func TestStoreThatTakesNoWritesTellsTheTimeAllTheSame(t *testing.T) {
	clocked(t, func(t *testing.T, store *hand, all []*replica) {
		_, c := all[0].start()
		all[1].store.Fail("pinged", "touch", "create", "update", "end")
		all[1].wantCalls(c, nil)
		wantTime(t, all[1].clock, store.now(), 10*time.Millisecond)
		wantUnavailable(t, all[1].Ping(t.Context()))
		for range 20 { // and since no activity can be written, idle time-outs stand still
			time.Sleep(5 * time.Minute)
			wantUnavailable(t, all[1].Ping(t.Context()))
			all[1].wantCalls(c, nil)
		}
	}, 0, 24*time.Hour)
}
