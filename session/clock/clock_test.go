package clock_test

import (
	"context"
	"log/slog"
	"math"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/cloakroom/cloakroom/session/clock"
)

// A hand is a clock that can be set. It runs on as the bubble's does.
type hand struct{ ahead atomic.Int64 }

func (h *hand) set(ahead time.Duration) { h.ahead.Store(int64(ahead)) }
func (h *hand) now() time.Time          { return time.Now().Add(time.Duration(h.ahead.Load())).Round(0) }

// A server is a store that is asked for its time.
type server struct{ ping func() time.Time }

func (s *server) Ping(context.Context) (time.Time, error) { return s.ping(), nil }

// A replica is a process whose machine's clock can be set.
type replica struct {
	*clock.Clock
	store   *server
	machine *hand
	slept   atomic.Int64
	told    strings.Builder
	metrics *prometheus.Registry
}

// clocked runs a test with a replica whose machine's clock is ahead by so much, and a store whose
// clock can be set, too.
func clocked(t *testing.T, test func(t *testing.T, store *hand, r *replica), ahead time.Duration) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		store := &hand{}
		r := &replica{store: &server{store.now}, machine: &hand{}, metrics: prometheus.NewRegistry()}
		r.machine.set(ahead)
		r.Clock = clock.New(clock.Options{
			Wall: r.machine.now, Slept: func() time.Duration { return time.Duration(r.slept.Load()) },
			Shared: true, Logger: slog.New(slog.NewTextHandler(&r.told, nil)), Metrics: r.metrics,
		})
		test(t, store, r)
	})
}

// lives is what a replica does all the time, for so long: it asks the store.
func (r *replica) lives(t *testing.T, lasts time.Duration) {
	t.Helper()
	for end := time.Now().Add(lasts); time.Now().Before(end); time.Sleep(5 * time.Second) {
		if err := r.Ask(t.Context(), r.store); err != nil {
			t.Fatalf("ask: %v", err)
		}
	}
}

// offset is what the metric says.
func (r *replica) offset(t *testing.T) float64 {
	t.Helper()
	families, err := r.metrics.Gather()
	if err != nil || len(families) != 1 || families[0].GetName() != "cloakroom_clock_offset_seconds" {
		t.Fatalf("metrics = %v, %v, want the clock's offset", families, err)
	}
	return families[0].GetMetric()[0].GetGauge().GetValue()
}

func wantTime(t *testing.T, c *clock.Clock, want time.Time, within time.Duration) {
	t.Helper()
	if off := c.Now().Sub(want); off.Abs() > within {
		t.Errorf("the clock is %v off, want %v at most", off, within)
	}
}

// The machine's clock is looked at for what is told of it alone.
func TestClockGoesOnByTheStoreBetweenPings(t *testing.T) {
	clocked(t, func(t *testing.T, store *hand, r *replica) {
		store.set(-7 * time.Hour)
		r.lives(t, time.Second)
		for _, off := range []time.Duration{time.Hour, -time.Hour, 0} {
			r.machine.set(off)
			time.Sleep(4 * time.Second)
			wantTime(t, r.Clock, store.now(), 10*time.Millisecond)
			if ahead, known := r.Ahead(); !known || (ahead-off-7*time.Hour).Abs() > 10*time.Millisecond {
				t.Errorf("ahead = %v, %v, want %v", ahead, known, off+7*time.Hour)
			}
		}
	}, time.Hour)
}

// What a slow answer says may be wrong by half of the time that it took.
func TestSlowPingDoesNotTakeThePlaceOfAGoodOne(t *testing.T) {
	clocked(t, func(t *testing.T, store *hand, r *replica) {
		ping := func(there, back time.Duration) {
			t.Helper()
			r.store.ping = func() time.Time {
				time.Sleep(there)
				at := store.now()
				time.Sleep(back)
				return at
			}
			if err := r.Ask(t.Context(), r.store); err != nil {
				t.Fatal(err)
			}
		}
		ping(0, 1900*time.Millisecond)
		wantTime(t, r.Clock, store.now(), 951*time.Millisecond)
		ping(time.Millisecond, time.Millisecond)
		wantTime(t, r.Clock, store.now(), 2*time.Millisecond)
		ping(1900*time.Millisecond, 0)
		wantTime(t, r.Clock, store.now(), 2*time.Millisecond)
		store.set(time.Second) // the next one is slow, and knows all the same
		ping(400*time.Millisecond, 0)
		wantTime(t, r.Clock, store.now(), 201*time.Millisecond)
		ping(0, 0)
		wantTime(t, r.Clock, store.now(), 2*time.Millisecond)
	}, 0)
}

func TestClockThatIsOffIsToldOfOnce(t *testing.T) {
	clocked(t, func(t *testing.T, _ *hand, r *replica) {
		want := func(differs, agrees int) {
			t.Helper()
			r.lives(t, time.Minute)
			text := r.told.String()
			if d, a := strings.Count(text, "differs from"), strings.Count(text, "agrees with"); d != differs || a != agrees {
				t.Errorf("told %d and %d times, want %d and %d:\n%s", d, a, differs, agrees, text)
			}
		}
		want(0, 0)
		r.machine.set(900 * time.Millisecond)
		want(0, 0)
		r.machine.set(1500 * time.Millisecond)
		want(1, 0)
		r.machine.set(1600 * time.Millisecond)
		want(1, 0)
		r.machine.set(-24 * time.Hour)
		want(2, 0)
		r.machine.set(0)
		want(2, 1)
		if v := r.offset(t); math.Abs(v) > .01 {
			t.Errorf("metric = %v, want 0", v)
		}
	}, 0)
}

// A machine that slept stops the monotonic clock with it; store and machine agree that it did.
func TestProcessThatWasFrozenFollowsAtOnce(t *testing.T) {
	clocked(t, func(t *testing.T, store *hand, r *replica) {
		r.lives(t, time.Minute)
		store.set(2 * time.Hour)
		r.machine.set(2 * time.Hour)
		r.lives(t, time.Second)
		wantTime(t, r.Clock, store.now(), 10*time.Millisecond)
	}, 0)
}

// The monotonic clock has not seen the machine's sleep, and no ping has come since.
func TestMachineThatSleptKnowsTheTimeAtOnce(t *testing.T) {
	for _, own := range []bool{false, true} {
		clocked(t, func(t *testing.T, store *hand, r *replica) {
			if own {
				r.store.ping = func() time.Time { return time.Time{} }
			}
			for range 2 {
				r.lives(t, 10*time.Second)
				sleep := 2*time.Hour + time.Duration(r.slept.Load())
				r.slept.Store(int64(sleep))
				store.set(sleep)
				r.machine.set(sleep)
				wantTime(t, r.Clock, store.now(), 10*time.Millisecond)
			}
			r.machine.set(0) // and its clock is wrong besides
			if !own {
				wantTime(t, r.Clock, store.now(), 10*time.Millisecond)
			}
			r.lives(t, time.Second)
			wantTime(t, r.Clock, store.now(), 10*time.Millisecond)
		}, 0)
	}
}
