package session_test

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/cloakroom/cloakroom/keys"
	"github.com/cloakroom/cloakroom/session"
)

// ST3: keys that open nothing of what is stored don't take the place of those that do. A rotation
// in its order, and an empty store, are no mistake; what single records don't open is counted.
func TestNewKeysThatOpenNothingAreRefused(t *testing.T) {
	ctx := context.Background()
	w := newWorld(t)
	fits := func(foreign int, first keys.Key, others ...keys.Key) {
		t.Helper()
		before, told := len(w.log.String()), 0
		err := w.CheckNewKeys(ctx, keys.NewRing(first, others...))
		said := w.log.String()[before:]
		if _, after, ok := strings.Cut(said, "do_not_open="); ok {
			_, _ = fmt.Sscan(after, &told)
		}
		if err != nil || told != foreign {
			t.Errorf("%d keys: %v, told %q, want %d that don't open", 1+len(others), err, said, foreign)
		}
	}
	refused := func(want string, first keys.Key, others ...keys.Key) {
		t.Helper()
		if err := w.CheckNewKeys(ctx, keys.NewRing(first, others...)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%d keys: %v, want an error that says %q", 1+len(others), err, want)
		}
	}
	fits(0, key(9)) // nothing is stored
	s, _ := w.start()
	fits(0, key(1))
	fits(0, key(2), key(1))
	fits(0, key(1), key(2))
	refused("put the key that sealed them", key(9))
	refused(keys.NewRing(key(1)).IDs()[0], key(9), key(8)) // it names the key

	other := w.another(under(key(2)))
	other.start(func(r *session.Record) { r.Subject = "bob" })
	fits(1, key(2)) // some open, some don't
	if err := w.End(ctx, s.Name, session.ReasonLogout); err != nil {
		t.Fatal(err)
	}
	fits(1, key(2)) // a revocation waits that it can't open

	w.store.Fail("find", "list") // a store that can't be asked: only what loses nothing is taken
	fits(0, key(3), key(1))
	err := w.CheckNewKeys(ctx, keys.NewRing(key(2)))
	wantUnavailable(t, err)
	if err == nil || !strings.Contains(err.Error(), "try again") {
		t.Errorf("error = %v, want what to do", err)
	}
}
