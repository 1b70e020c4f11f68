package server_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/cloakroom/cloakroom/test/servers"
	"github.com/cloakroom/cloakroom/test/world"
)

// ST3: a reload with a key that opens nothing of what is stored is refused by every store. The old
// keys stay in use for existing sessions, for new logins, and for a login under way.
func TestReloadWithKeysThatOpenNothingIsRefused(t *testing.T) {
	for _, store := range []string{"sqlite", "memory:", servers.Redis(t).URL()} {
		g := world.NewStage(t)
		if store == "sqlite" {
			store = "sqlite:" + g.DB
		}
		old, fresh := world.NewKey(), world.NewKey()
		s := g.Start(g.Port, store, fmt.Sprintf("  keys: [%q]", old))
		reload := func(keys ...string) error {
			return s.Reload(g.Config(g.Port, store, `  keys: ["`+strings.Join(keys, `", "`)+`"]`))
		}
		if err := reload(fresh); err != nil {
			t.Fatalf("a new key for an empty store: %v", err)
		}
		old, fresh = fresh, world.NewKey()
		b := g.Browser()
		b.Login()
		attempt := b.Navigate("/bff/login?returnUrl=/after")
		err := reload(fresh)
		if err == nil || !strings.Contains(err.Error(), "after the new one") {
			t.Errorf("%s: a key that opens nothing: %v, want what to do", store, err)
		}
		b.Get("/api/x").Want(t, http.StatusOK, "")
		if back := b.Navigate(g.OP.Login(attempt.Header.Get("Location")).RequestURI()); back.StatusCode != http.StatusFound {
			t.Errorf("a login that was under way = %d %s", back.StatusCode, back.Text)
		}
		if err := reload(fresh, old); err != nil {
			t.Errorf("%s: a rotation: %v", store, err)
		}
		b.Get("/api/x").Want(t, http.StatusOK, "")
		late := g.Browser()
		late.Login()
		if err := reload(fresh); err != nil || !strings.Contains(g.Log.String(), `"do_not_open":`) {
			t.Errorf("%s: keys that open some: %v, want a warning that counts the others", store, err)
		}
		late.Get("/api/x").Want(t, http.StatusOK, "")
	}
}

// While the store can't be reached, new keys are accepted only if all old ones are among them.
func TestReloadWhileTheStoreIsDownLosesNoKey(t *testing.T) {
	redis := servers.Redis(t)
	g := world.NewStage(t)
	old, fresh := world.NewKey(), world.NewKey()
	s := g.Start(g.Port, redis.URL(), fmt.Sprintf("  keys: [%q]", old))
	b := g.Browser()
	b.Login()
	redis.Stop()
	err := s.Reload(g.Config(g.Port, redis.URL(), fmt.Sprintf("  keys: [%q]", fresh)))
	if err == nil || !strings.Contains(err.Error(), "try again") {
		t.Errorf("reload with a new key alone: %v, want to be told to try again", err)
	}
	if err := s.Reload(g.Config(g.Port, redis.URL(), fmt.Sprintf("  keys: [%q, %q]", fresh, old))); err != nil {
		t.Errorf("reload with a new key before the old one: %v", err)
	}
	redis.Start()
	world.Eventually(t, "the session to be served again", func() bool { return b.Get("/api/x").StatusCode == http.StatusOK })
}
