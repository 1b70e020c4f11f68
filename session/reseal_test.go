package session_test

import (
	"context"
	"sync"
	"testing"

	"github.com/cloakroom/cloakroom/session"
)

// How to take a key out without logging anyone out.
func TestResealMovesWhatLiesUnderOldKeys(t *testing.T) {
	w := newWorld(t)
	const many = 1200 // more than two pages
	var cookies []string
	var last *session.Session
	for range many {
		s, c := w.start()
		last = s
		cookies = append(cookies, c.Value)
	}
	if err := w.Enqueue(context.Background(), record(), session.ReasonRefused); err != nil {
		t.Fatal(err)
	}
	both := w.another(under(key(2), key(1)))
	wantUses(t, both, session.KeyUse{Configured: true}, session.KeyUse{Configured: true, Sessions: many, Revocations: 1})

	// A renewal in the middle of it loses nothing, whichever comes first.
	other := w.another(under(key(1), key(2)))
	var renewing sync.WaitGroup
	renewing.Go(func() {
		if _, err := other.Commit(context.Background(), last, renew("second")); err != nil {
			t.Errorf("renewal beside the resealing: %v", err)
		}
	})
	told := 0
	moved, err := both.Reseal(t.Context(), func(seen, _ int) { told = seen })
	renewing.Wait()
	if err != nil || moved < many-1 || told != many {
		t.Errorf("moved %d of %d seen: %v", moved, told, err)
	}
	if moved, err = both.Reseal(t.Context(), func(int, int) {}); err != nil || moved > 1 { // the renewal may have sealed under the old key
		t.Errorf("moved again: %d %v", moved, err)
	}
	wantUses(t, both, session.KeyUse{Configured: true, Sessions: many}, session.KeyUse{Configured: true, Revocations: 1})
	if got, err := both.Get(t.Context(), last.Name); err != nil || got.Record.RefreshToken.Equal(refreshToken) {
		t.Errorf("the renewed token was lost: %v", err)
	}

	one := w.another(under(key(2)))
	if got, err := one.Get(t.Context(), last.Name); err != nil || got.Record.Subject != "alice" {
		t.Errorf("with the new key alone: %v", err)
	}
	wantUses(t, one, session.KeyUse{Configured: true, Sessions: many}, session.KeyUse{Revocations: 1})
	if len(cookies) != many {
		t.Fatal("cookies were lost")
	}
}

func wantUses(t *testing.T, w *world, want ...session.KeyUse) {
	t.Helper()
	uses, err := w.KeyUses(t.Context(), func(int) {})
	if err != nil || len(uses) != len(want) {
		t.Fatalf("uses = %+v %v, want %d keys", uses, err, len(want))
	}
	for i, u := range uses {
		if len(u.ID) != 8 {
			t.Errorf("id of a key = %q, want eight digits", u.ID)
		}
		u.ID = ""
		if u != want[i] {
			t.Errorf("key %d: %+v, want %+v", i, u, want[i])
		}
	}
}
