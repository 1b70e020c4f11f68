package session_test

import (
	"context"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/cloakroom/cloakroom/session"
	"github.com/cloakroom/cloakroom/session/clock"
)

// A fail-over to a server with another clock: nobody lived through the time in between.
func TestJumpOfTheStoresTimeTakesNoIdleTimeAway(t *testing.T) {
	for _, jump := range []time.Duration{9 * time.Minute, -9 * time.Minute, 2 * time.Second} {
		t.Run(jump.String(), func(t *testing.T) {
			clocked(t, func(t *testing.T, store *hand, all []*replica) {
				_, c := all[0].start()
				sweep(t, idle-5*time.Minute, all...)
				store.set(jump)
				sweep(t, 4*time.Minute, all...)
				wantTime(t, all[0].clock, store.now(), 10*time.Millisecond)
				all[0].wantCalls(c, nil)
				all[1].wantCalls(c, nil)
				sweep(t, idle-time.Minute, all...)
				all[0].wantCalls(c, nil)
				sweep(t, idle+time.Minute+max(-jump, 0), all...)
				all[0].wantCalls(c, session.ErrSessionExpired)
				if told := strings.Count(all[0].told.String(), "has jumped"); told != 1 {
					t.Errorf("told of the jump %d times: %s", told, all[0].told)
				}
			}, 0, 0)
		})
	}
}

// In an outage the clock may be another afterwards, and the outage counts against nobody all the
// same.
func TestOutageThatEndsAtAServerWithAnotherClockLogsNobodyOut(t *testing.T) {
	for _, jump := range []time.Duration{5 * time.Minute, -5 * time.Minute, -3 * time.Hour} {
		clocked(t, func(t *testing.T, store *hand, all []*replica) {
			_, c := all[0].start()
			sweep(t, idle-time.Minute, all[0])
			all[0].store.Fail("ping", "load", "touch", "end")
			for range 12 {
				_ = all[0].Ping(t.Context())
				time.Sleep(5 * time.Minute)
			}
			all[0].store.BeforeAny(nil)
			store.set(jump)
			sweep(t, 30*time.Second, all[0])
			all[0].wantCalls(c, nil)
		}, 0)
	}
}

// Somebody sets the store's clock wrong, and right again: what would end everybody is believed when
// it has stood.
func TestFarJumpOfTheStoresTimeIsBelievedWhenItHasStood(t *testing.T) {
	clocked(t, func(t *testing.T, store *hand, all []*replica) {
		_, c := all[0].start()
		began := time.Now()
		sweep(t, time.Second, all...)
		for _, far := range []time.Duration{24 * time.Hour, -24 * time.Hour, 3 * time.Hour} {
			store.set(far)
			sweep(t, 50*time.Second, all...)
			wantTime(t, all[0].clock, time.Now(), 10*time.Millisecond)
			all[0].wantCalls(c, nil)
		}
		store.set(0)
		sweep(t, 10*time.Second, all...)
		store.set(24 * time.Hour)
		sweep(t, 50*time.Second, all...)
		wantTime(t, all[0].clock, time.Now(), 10*time.Millisecond)
		sweep(t, 20*time.Second, all...)
		wantTime(t, all[0].clock, store.now(), 10*time.Millisecond)
		all[0].wantCalls(c, session.ErrSessionExpired) // its absolute end has come
		if time.Since(began) > idle {
			t.Error("the test took longer than the idle time-out")
		}
	}, 0, 0)
}

// A store without a clock of its own: the machine's is gone by, and a jump of it that passes
// changes nothing.
func TestMachinesClockThatJumpsForAMomentEndsNobodysSession(t *testing.T) {
	clocked(t, func(t *testing.T, _ *hand, all []*replica) {
		r := all[0]
		r.store.SetClock(nil)
		_, c := r.start()
		for _, jump := range []time.Duration{24 * time.Hour, -24 * time.Hour, 3 * time.Minute, 0} {
			r.machine.set(jump)
			sweep(t, 12*time.Second, r)
			r.wantCalls(c, nil)
		}
		sweep(t, idle-time.Minute, r)
		r.wantCalls(c, nil)
		sweep(t, idle-time.Minute, r)
		r.machine.set(3 * time.Minute) // what is a little off is followed at once, and nobody lived through it
		wantTime(t, r.clock, r.machine.now(), 10*time.Millisecond)
		r.wantCalls(c, nil)
	}, 0)
}

// Somebody sets the store's clock ahead, and right again later. What the idle time-outs stood still
// over lies ahead then, and must not keep idle sessions alive until it is reached.
func TestJumpThatIsTakenBackLeavesIdleTimeOutsAsTheyAre(t *testing.T) {
	for _, jump := range []time.Duration{9 * time.Minute, 3 * time.Hour} {
		t.Run(jump.String(), func(t *testing.T) {
			clocked(t, func(t *testing.T, store *hand, all []*replica) {
				_, c := all[0].start()
				store.set(jump)
				sweep(t, 2*time.Minute, all[0])
				wantTime(t, all[0].clock, store.now(), 10*time.Millisecond)
				store.set(0)
				sweep(t, 2*time.Minute, all[0])
				wantTime(t, all[0].clock, store.now(), 10*time.Millisecond)
				sweep(t, idle-5*time.Minute, all[0])
				if n := len(all[0].outbox()); n != 0 {
					t.Errorf("sessions that were ended before the idle time-out = %d", n)
				}
				sweep(t, 5*time.Minute, all[0])
				all[0].wantCalls(c, session.ErrSessionExpired)
				if n := len(all[0].outbox()); n != 1 {
					t.Errorf("sessions that were ended after the idle time-out = %d, want 1", n)
				}
			}, 0)
		})
	}
}

// A hooked handler calls fn when a message with that text is logged.
type hooked struct {
	slog.Handler
	text string
	fn   func()
}

func (h hooked) Handle(ctx context.Context, r slog.Record) error {
	if strings.Contains(r.Message, h.text) {
		h.fn()
	}
	return h.Handler.Handle(ctx, r)
}

// A request, or the sweeper, may come in the very moment between a ping that hears of a jump and
// the idle time-outs' standing still over it.
func TestNobodyIsJudgedByAJumpThatIdleTimeOutsHaveYetToStandStillOver(t *testing.T) {
	clocked(t, func(t *testing.T, store *hand, all []*replica) {
		var r *replica
		var c *http.Cookie
		between := 0
		r = &replica{world: all[0].another(func(o *session.Options) {
			log := slog.New(hooked{slog.NewTextHandler(io.Discard, nil), "has jumped", func() {
				between++
				if _, err := r.FromRequest(with(c)); err != nil {
					t.Errorf("a request in between: %v", err)
				}
			}})
			o.Clock = clock.New(clock.Options{Wall: time.Now, Shared: true, Logger: log})
		})}
		r.store = all[0].store
		_, c = r.start()
		sweep(t, idle-time.Minute, r)
		store.set(9 * time.Minute)
		sweep(t, time.Second, r)
		if between != 1 {
			t.Fatalf("jumps that were heard of = %d, want 1", between)
		}
		r.wantCalls(c, nil)
		r.Close()
	}, 0)
	clocked(t, func(t *testing.T, store *hand, all []*replica) {
		r := all[0]
		r.store.SetClock(nil) // it goes by its machine's, also between pings
		_, c := r.start()
		sweep(t, idle-time.Minute, r)
		r.machine.set(9 * time.Minute)
		r.wantCalls(c, nil)
	}, 0)
}

// A primary that takes over may have a clock that is behind. One replica has heard of it, the user
// logs in there, and comes to another one, which has not.
func TestSessionThatSeemsToHaveRunOutIsJudgedByTheStoresTime(t *testing.T) {
	clocked(t, func(t *testing.T, store *hand, all []*replica) {
		sweep(t, time.Second, all...)
		store.set(-40 * time.Minute)
		all[0].machine.set(-40 * time.Minute)
		sweep(t, time.Second, all[0])
		_, c := all[0].start()
		all[1].machine.set(-40 * time.Minute)
		all[1].wantCalls(c, nil)
	}, 0, 0)
}
