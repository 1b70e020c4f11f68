package session_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cloakroom/cloakroom/session"
)

// use finds the session and notes activity, as each request does.
func (w *world) use(c session.Name) *session.Session {
	w.t.Helper()
	s, err := w.Get(context.Background(), c)
	if err != nil {
		w.t.Fatalf("get: %v", err)
	}
	w.Touch(context.Background(), s)
	synctest.Wait()
	return s
}

// D1: activity is a touch of the expiry, at most once in a tenth of the idle time-out; with and
// without a cache, and whichever of many requests brings it.
func TestActivityIsWrittenTenTimesInAnIdleTimeOut(t *testing.T) {
	for _, change := range []func(*session.Options){func(*session.Options) {}, noCache} {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t, change)
			s, _ := w.start()
			writes := w.store.Writes.Load()
			const every = 10 * time.Second
			for range idle / every {
				time.Sleep(every)
				for range 5 {
					w.use(s.Name)
				}
			}
			if n := w.store.Touches.Load(); n < 9 || n > 10 {
				t.Errorf("touches in an idle time-out = %d, want 10", n)
			}
			if n := w.store.Writes.Load() - writes; n != 0 {
				t.Errorf("records written = %d, want 0", n)
			}
			w.Close()
		})
	}
}

func TestManyRequestsAtOnceTouchOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, noCache)
		s, _ := w.start()
		time.Sleep(idle / 2)
		read, err := w.Get(t.Context(), s.Name)
		if err != nil {
			t.Fatal(err)
		}
		for range 100 { // all have read the session before the first touch
			w.Touch(t.Context(), read)
			synctest.Wait()
		}
		if n := w.store.Touches.Load(); n != 1 {
			t.Errorf("touches = %d, want 1", n)
		}
		w.Close()
	})
}

// SC12: activity moves the idle expiry, in the store and in what is served, and never past the
// absolute one.
func TestActivityKeepsASessionUntilItsAbsoluteEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		s, c := w.start()
		for time.Until(s.Record.ExpiresAt) > idle/2 {
			time.Sleep(idle / 3)
			w.use(s.Name)
		}
		read := w.use(s.Name)
		if !read.IdleExpires.Equal(s.Record.ExpiresAt) {
			t.Errorf("idle expiry = %v, want the absolute one %v", read.IdleExpires, s.Record.ExpiresAt)
		}
		if got, err := w.another().Get(t.Context(), s.Name); err != nil || !got.IdleExpires.Equal(read.IdleExpires) || got.Version != 1 {
			t.Errorf("in another process: %+v %v", got, err)
		}
		time.Sleep(time.Until(s.Record.ExpiresAt))
		if _, err := w.FromRequest(with(c)); !errors.Is(err, session.ErrSessionExpired) {
			t.Errorf("at the absolute expiry: %v, want %v", err, session.ErrSessionExpired)
		}
		w.Close()
	})
}

func TestTouchNeverMovesTimesBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		s, _ := w.start()
		time.Sleep(idle / 2)
		w.use(s.Name)
		later := w.use(s.Name)
		past := w.another(func(o *session.Options) { // a replica whose clock is late
			o.Now = func() time.Time { return time.Now().Add(-idle / 4) }
		})
		past.Touch(t.Context(), s)
		synctest.Wait()
		read, err := w.another(noCache).Get(t.Context(), s.Name)
		if err != nil || read.IdleExpires.Before(later.IdleExpires) || read.LastActive.Before(later.LastActive) {
			t.Errorf("times went back to %v, %v from %v: %v", read.LastActive, read.IdleExpires, later.LastActive, err)
		}
		past.Close()
		w.Close()
	})
}

// The caller waits for nothing and hears of no failure; the log does, once in an outage.
func TestTouchDoesNotWaitForTheStore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		s, _ := w.start()
		w.store.BeforeAny(func(ctx context.Context, operation string) error {
			if operation == "touch" {
				<-ctx.Done()
				return ctx.Err()
			}
			return nil
		})
		time.Sleep(idle / 2)
		began := time.Now()
		for range 10 {
			w.Touch(t.Context(), s)
			other, _ := w.start()
			other.LastActive = other.LastActive.Add(-idle)
			w.Touch(t.Context(), other)
		}
		if waited := time.Since(began); waited != 0 {
			t.Errorf("the callers waited %v", waited)
		}
		w.Close()
		if n := w.log.Count("level=WARN"); n == 0 || n > 5 {
			t.Errorf("warnings = %d, want few", n)
		}
	})
}

func TestFailedTouchIsTriedAgainByTheNextRequest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		s, _ := w.start()
		time.Sleep(idle / 2)
		w.store.Fail("touch")
		w.use(s.Name)
		w.store.BeforeAny(nil)
		w.use(s.Name)
		time.Sleep(idle - time.Minute)
		if _, err := w.Get(t.Context(), s.Name); err != nil {
			t.Errorf("after the second touch: %v", err)
		}
		w.Close()
	})
}

// A touch that is late must not bring anything back.
func TestTouchOfAnEndedSessionDoesNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		s, c := w.start()
		time.Sleep(idle / 2)
		if err := w.End(t.Context(), s.Name, session.ReasonLogout); err != nil {
			t.Fatal(err)
		}
		w.Touch(t.Context(), s)
		synctest.Wait()
		_, err := w.FromRequest(with(c))
		w.wantGone(err)
		if n := w.log.Count("level=WARN"); n != 0 {
			t.Errorf("warnings = %d, want none", n)
		}
		w.Close()
	})
}

func TestActivityBeforeTheShutdownIsWritten(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		s, _ := w.start()
		time.Sleep(idle / 2)
		w.Touch(t.Context(), s)
		w.Close()
		if read, err := w.another(noCache).Get(t.Context(), s.Name); err != nil || !read.LastActive.After(s.LastActive) {
			t.Errorf("last active = %v: %v", read.LastActive, err)
		}
		w.Touch(t.Context(), s) // late; must not panic, nor start anything
	})
}

func TestWithoutIdleTimeOutSessionsStay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, func(o *session.Options) { o.IdleTimeout = 0 })
		s, c := w.start()
		time.Sleep(lifetime - time.Second)
		read := w.use(s.Name)
		if !read.IdleExpires.IsZero() {
			t.Errorf("idle expiry = %v, want none", read.IdleExpires)
		}
		if got := w.use(s.Name); !got.LastActive.After(s.LastActive) {
			t.Errorf("last active = %v, want it to move", got.LastActive)
		}
		time.Sleep(time.Second)
		if _, err := w.FromRequest(with(c)); !errors.Is(err, session.ErrSessionExpired) {
			t.Errorf("at the absolute expiry: %v", err)
		}
		w.Close()
	})
}
