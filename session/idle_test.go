package session_test

import (
	"context"
	"errors"
	"net/http"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cloakroom/cloakroom/session"
)

// sweepLag is how much longer than it was an outage is to a sweeper: from its last look before to
// its first one after.
const sweepLag = (6 + 71 + 6) * time.Second

// inOutages runs a test over a store that two processes share, each with a sweeper, and that fails
// while down.
func inOutages(t *testing.T, test func(w *world, down func(time.Duration)), change ...func(*session.Options)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, change...)
		ctx, cancel := context.WithCancel(t.Context())
		var sweepers sync.WaitGroup
		for i, m := range []*world{w, w.another(change...)} {
			sweepers.Go(func() {
				for every := time.Duration(5+i) * time.Second; ctx.Err() == nil; time.Sleep(every) {
					if _, err := m.EndExpired(ctx, 100); err != nil {
						time.Sleep(time.Duration(70+i) * time.Second)
					}
				}
			})
		}
		test(w, func(d time.Duration) {
			w.store.Fail("load", "touch", "ping", "end")
			time.Sleep(d)
			w.store.BeforeAny(nil)
		})
		cancel()
		sweepers.Wait()
		w.Close()
	})
}

// call is one request; it reports what became of the session.
func (w *world) call(c *http.Cookie) error {
	s, err := w.FromRequest(with(c))
	if err == nil {
		w.Touch(context.Background(), s)
		synctest.Wait()
	}
	return err
}

func (w *world) wantCalls(c *http.Cookie, want error) {
	w.t.Helper()
	if err := w.call(c); !errors.Is(err, want) {
		w.t.Errorf("call: %v, want %v", err, want)
	}
}

// ST1: nobody can be active while the store can't be asked, and nobody is logged out for it, at any
// of the replicas.
func TestOutageLongerThanTheIdleTimeOutLogsNobodyOut(t *testing.T) {
	inOutages(t, func(w *world, down func(time.Duration)) {
		s, c := w.start()
		for range 20 {
			time.Sleep(time.Minute)
			w.wantCalls(c, nil)
		}
		down(3 * idle)
		time.Sleep(idle * 8 / 10) // the user has not noticed yet; the sweepers are at it
		w.wantCalls(c, nil)
		time.Sleep(idle - time.Second)
		w.wantCalls(c, nil)
		time.Sleep(idle)
		w.wantCalls(c, session.ErrSessionExpired)
		time.Sleep(3 * idle)
		if n := len(w.outbox()); n != 1 {
			w.t.Errorf("sessions in the outbox = %d, want that the sweeper ended it", n)
		}
		if reason, _ := w.EndReason(s.Name); reason != session.ReasonExpired && reason != "" {
			w.t.Errorf("ended for %q", reason)
		}
	})
}

// A session has after the outage what it had left before it: nothing, if that was nothing, and no
// more than it had.
func TestOutageGivesNoIdleTimeAway(t *testing.T) {
	inOutages(t, func(w *world, down func(time.Duration)) {
		_, out := w.start()
		time.Sleep(idle - 2*time.Minute)
		_, c := w.start()
		time.Sleep(idle / 2)
		down(3 * idle)
		w.wantCalls(out, session.ErrSessionExpired)
		time.Sleep(idle/2 - time.Minute)
		s, err := w.FromRequest(with(c)) // no activity
		if err != nil || s.IdleExpires.Before(time.Now()) || s.IdleExpires.After(time.Now().Add(time.Minute+sweepLag)) {
			w.t.Fatalf("before the rest is over: %v", err)
		}
		time.Sleep(time.Minute + sweepLag)
		w.wantCalls(c, session.ErrSessionExpired)
	})
}

func TestOutageDoesNotPutOffTheAbsoluteEnd(t *testing.T) {
	inOutages(t, func(w *world, down func(time.Duration)) {
		s, c := w.start()
		for time.Until(s.Record.ExpiresAt) > idle {
			time.Sleep(idle / 2)
			w.wantCalls(c, nil)
		}
		down(time.Until(s.Record.ExpiresAt) - time.Minute)
		if read := w.use(s.Name); !read.Expires().Equal(s.Record.ExpiresAt) {
			w.t.Errorf("it ends at %v, want %v", read.Expires(), s.Record.ExpiresAt)
		}
		time.Sleep(time.Minute)
		w.wantCalls(c, session.ErrSessionExpired)
	})
}

// The store comes up for a moment, too short for the user to notice.
func TestOutageAfterOutageLogsNobodyOut(t *testing.T) {
	inOutages(t, func(w *world, down func(time.Duration)) {
		_, c := w.start()
		for range 10 {
			down(idle * 2 / 3)
			time.Sleep(2 * time.Minute)
		}
		w.wantCalls(c, nil)
	})
}

// An outage that was over before a session was last active gives it nothing, however many short
// ones follow.
func TestOutageBeforeASessionGivesItNothing(t *testing.T) {
	inOutages(t, func(w *world, down func(time.Duration)) {
		down(3 * idle)
		time.Sleep(2 * time.Minute)
		_, c := w.start()
		for range 2 {
			time.Sleep(idle * 6 / 10)
			down(15 * time.Second)
		}
		time.Sleep(2 * sweepLag)
		w.wantCalls(c, session.ErrSessionExpired)
	})
}

// Reading works, writing does not: a full disk, a primary that lost its replicas.
func TestSessionOutlastsAStoreThatOnlyTakesNoWrites(t *testing.T) {
	inOutages(t, func(w *world, _ func(time.Duration)) {
		_, c := w.start()
		w.store.Fail("touch", "ping", "end")
		for range 3 * idle / time.Minute {
			time.Sleep(time.Minute)
			w.wantCalls(c, nil)
		}
		w.store.BeforeAny(nil)
		w.wantCalls(c, nil)
		time.Sleep(idle - time.Second)
		w.wantCalls(c, nil)
	})
}

// session.on_outage: serve_cached. A user whose calls were answered all the time is not logged out
// when it is over.
func TestSessionServedInAnOutageOutlastsIt(t *testing.T) {
	inOutages(t, func(w *world, _ func(time.Duration)) {
		_, c := w.start()
		w.wantCalls(c, nil)
		w.store.Fail("load", "touch", "ping", "end")
		for range 2 * idle / time.Minute {
			time.Sleep(time.Minute)
			w.wantCalls(c, nil)
		}
		w.store.BeforeAny(nil)
		w.wantCalls(c, nil)
		time.Sleep(idle - time.Second)
		w.wantCalls(c, nil)
	}, func(o *session.Options) { o.OnOutage, o.OutageLimit = "serve_cached", 3*idle })
}
