package session_test

import (
	"context"
	"errors"
	"fmt"
	"net/http/httptest"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cloakroom/cloakroom/session"
)

func atMost(n int) func(*session.Options) { return func(o *session.Options) { o.MaxPerUser = n } }

// ST5: the session that was idle the longest makes room, not the one that began first; another
// user's never does.
func TestOneLoginTooManyEndsTheLongestIdleSession(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, atMost(3))
		defer w.Close()
		var mine []*session.Session
		other, _ := w.start(func(r *session.Record) { r.Subject = "bob" })
		for range 3 {
			s, _ := w.start()
			mine = append(mine, s)
			time.Sleep(time.Minute)
		}
		w.Touch(t.Context(), mine[0])
		time.Sleep(5 * time.Minute)
		newest, _ := w.start()
		for name, want := range map[session.Name]error{
			mine[0].Name: nil, mine[1].Name: session.ErrNoSession, mine[2].Name: nil, newest.Name: nil, other.Name: nil,
		} {
			if _, err := w.Get(t.Context(), name); !errors.Is(err, want) {
				t.Errorf("session is %v, want %v", err, want)
			}
		}
		if reason, known := w.EndReason(mine[1].Name); !known || reason.Public() != "surplus" {
			t.Errorf("the browser is told %q %v, want surplus", reason.Public(), known)
		}
	})
}

// However many logins come at once, few enough are left, and each of them worked at its moment.
func TestFloodOfLoginsOfOneUserStaysBounded(t *testing.T) {
	w := newWorld(t, atMost(5))
	another := w.another(atMost(5))
	var wg sync.WaitGroup
	for i := range 60 {
		wg.Go(func() {
			m := w.Manager
			if i%2 == 0 {
				m = another.Manager
			}
			if _, err := m.Start(context.Background(), httptest.NewRecorder(), record(), ""); err != nil {
				t.Errorf("start: %v", err)
			}
		})
	}
	wg.Wait()
	if n, err := w.store.Count(t.Context()); err != nil || n > 5 || n == 0 {
		t.Errorf("sessions left = %d %v, want 1 to 5", n, err)
	}
	if _, n, err := w.store.Revocations(t.Context(), 100); err != nil || n < 55 {
		t.Errorf("revocations due = %d %v, want those of the others", n, err)
	}
}

// Reading all of a user's sessions to find the longest idle is not done at each login of a flood.
func TestManySessionsGoAHundredthAtOnce(t *testing.T) {
	w := newWorld(t, atMost(300), noCache)
	for range 300 {
		w.start()
	}
	for i, want := range []int{297, 298, 299, 300, 297} {
		w.start()
		if n, err := w.store.Count(t.Context()); err != nil || n != want {
			t.Fatalf("after %d more: %d %v, want %d", i+1, n, err, want)
		}
	}
}

// A login that worked is not undone because the store fails afterwards.
func TestLoginStandsWhenSurplusCanNotBeCounted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, atMost(1))
		defer w.Close()
		first, _ := w.start()
		w.store.BeforeAny(func(_ context.Context, operation string) error {
			if operation == "find" {
				return fmt.Errorf("gone")
			}
			return nil
		})
		time.Sleep(time.Second)
		w.start()
		w.store.BeforeAny(func(context.Context, string) error { return nil })
		if _, err := w.Get(t.Context(), first.Name); err != nil {
			t.Errorf("first session: %v", err)
		}
		time.Sleep(time.Second)
		w.start()
		if n, err := w.store.Count(t.Context()); err != nil || n != 1 {
			t.Errorf("after the next login: %d %v, want 1", n, err)
		}
	})
}

// Two logins that come at once, with room for one: the later one stays.
func TestTwoLoginsDoNotEndEachOther(t *testing.T) {
	for range 200 {
		w := newWorld(t, atMost(1))
		var wg sync.WaitGroup
		for range 2 {
			wg.Go(func() { _, _ = w.Start(context.Background(), httptest.NewRecorder(), record(), "") })
		}
		wg.Wait()
		if n, err := w.store.Count(t.Context()); err != nil || n != 1 {
			t.Fatalf("sessions left = %d %v, want 1", n, err)
		}
	}
}
