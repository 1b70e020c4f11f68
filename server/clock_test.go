package server_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/cloakroom/cloakroom/test/providers/odd"
	"github.com/cloakroom/cloakroom/test/servers"
	"github.com/cloakroom/cloakroom/test/world"
)

// A machine is a replica whose clock may be wrong.
type machine struct {
	name, origin, admin string
	off                 time.Duration
}

// machines starts replicas over one store. Browsers use the address of the first. The clock of the
// last can be set while it runs.
func machines(t *testing.T, store string) (g *world.World, all []machine, set func(time.Duration)) {
	t.Helper()
	g = world.NewStage(t)
	yaml := fmt.Sprintf("  keys: [%q]\n  idle_timeout: 2m", world.NewKey())
	var ahead atomic.Int64
	for i, off := range []time.Duration{0, 24 * time.Hour, -24 * time.Hour, 5 * time.Minute} {
		port := g.Port
		if i > 0 {
			port = servers.FreePort(t)
		}
		g.Now = func() time.Time { return time.Now().Add(off).Round(0) }
		if i == 3 {
			ahead.Store(int64(off))
			g.Now = func() time.Time { return time.Now().Add(time.Duration(ahead.Load())).Round(0) }
		}
		g.Start(port, store, yaml)
		all = append(all, machine{off.String(), fmt.Sprintf("http://localhost:%d", port), g.Admin, off})
	}
	return g, all, func(d time.Duration) { ahead.Store(int64(d)) }
}

func onSharedStores(t *testing.T, test func(t *testing.T, store string)) {
	t.Helper()
	for name, store := range map[string]func() string{
		"Redis":      func() string { return servers.Redis(t).URL() },
		"PostgreSQL": func() string { return servers.Postgres(t, "fsync=off").URL() },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t, store())
		})
	}
}

// login begins at one replica and ends at another.
func loginAcross(b *world.Browser, begin, end machine) {
	b.T.Helper()
	asked := b.Navigate(begin.origin + "/bff/login?returnUrl=/after")
	back := b.World.OP.Login(asked.Header.Get("Location"))
	answer := b.Navigate(end.origin + back.RequestURI())
	if answer.StatusCode != http.StatusFound || answer.Header.Get("Location") != "/after" {
		b.T.Fatalf("login begun at %s and finished at %s = %d %s", begin.name, end.name, answer.StatusCode, answer.Text)
	}
}

// Times are compared with the clock of the store, so that every replica comes to the same result,
// however wrong the clock of its machine is.
func TestReplicasWhoseClocksAreWrongWorkAsTheOthers(t *testing.T) {
	onSharedStores(t, func(t *testing.T, store string) {
		g, all, set := machines(t, store)
		var people []*world.Browser
		for _, begin := range all {
			for _, end := range all {
				b := g.Browser()
				b.T = t
				loginAcross(b, begin, end)
				people = append(people, b)
			}
		}
		wantCalls := func() {
			t.Helper()
			for _, b := range people {
				for _, m := range all {
					b.Get(m.origin+"/api/x").Want(t, http.StatusOK, "")
				}
			}
			if n := len(g.OP.Grants("refresh_token")); n != 0 {
				t.Errorf("renewals of tokens that last five minutes = %d", n)
			}
		}
		wantCalls()
		set(24 * time.Hour)
		time.Sleep(7 * time.Second) // every sweeper looks once at least
		wantCalls()
		set(0)
		time.Sleep(time.Second)
		wantCalls()

		for i, m := range all {
			b := people[i]
			wantLogoutAcross(b, m, all[(i+1)%len(all)])
			token := g.OP.LogoutToken(func(_, c odd.Claims) { c["sub"] = "somebody-else" })
			body := strings.NewReader(url.Values{"logout_token": {token}}.Encode())
			b.Do(http.MethodPost, m.origin+"/bff/backchannel/main", body,
				"X-CSRF", "", "Content-Type", "application/x-www-form-urlencoded",
			).Want(t, http.StatusOK, "")
		}
	})
}

// wantLogoutAcross logs out at one replica, and returns from the provider to another.
func wantLogoutAcross(b *world.Browser, begin, end machine) {
	b.T.Helper()
	r := b.Navigate(begin.origin + logoutURL(b.T, b.Get(begin.origin+"/bff/user").Text) + "&returnUrl=/bye")
	next, err := url.Parse(r.Header.Get("Location"))
	if err != nil || r.StatusCode != http.StatusFound || next.Query().Get("state") == "" {
		b.T.Fatalf("logout at %s = %d to %s", begin.name, r.StatusCode, next)
	}
	back := b.Navigate(end.origin + "/bff/logout/callback/main?state=" + url.QueryEscape(next.Query().Get("state")))
	if back.Header.Get("Location") != "/bye" {
		b.T.Errorf("back at %s = %d to %q", end.name, back.StatusCode, back.Header.Get("Location"))
	}
}

// A wrong clock is reported in the log, in a metric and by the probe. The replica is ready
// nevertheless.
func TestReplicaSaysThatItsClockIsOff(t *testing.T) {
	onSharedStores(t, func(t *testing.T, store string) {
		g, all, set := machines(t, store)
		b := g.Browser()
		b.T = t
		want := func(m machine, probe, metric string) {
			t.Helper()
			world.Eventually(t, "the probe to say "+probe, func() bool {
				r := b.Get(m.admin + "/readyz")
				return r.StatusCode == http.StatusOK && strings.Contains(r.Text, `"clock":"`+probe)
			})
			if text := b.Get(m.admin + "/metrics").Text; !strings.Contains(text, "\ncloakroom_clock_offset_seconds "+metric) {
				t.Errorf("%s: the metric is not %s", m.name, metric)
			}
		}
		want(all[1], "this machine's is 24h0m0s ahead of the session store's", "86")
		want(all[2], "this machine's is 24h0m0s behind the session store's", "-86")
		want(all[3], "this machine's is 5m0s ahead", "")
		set(50 * time.Second)
		want(all[3], "ok", "")
		if n := strings.Count(g.Log.String(), "this machine's clock differs"); n != 4 {
			t.Errorf("told %d times, want four: of three machines, and of a change", n)
		}
	})
}

// logoutURL returns the logout URL in an answer of /bff/user.
func logoutURL(t *testing.T, user string) string {
	t.Helper()
	var claims []struct {
		Type  string
		Value any
	}
	if err := json.Unmarshal([]byte(user), &claims); err != nil {
		t.Fatalf("%v: %s", err, user)
	}
	for _, c := range claims {
		if c.Type == "bff:logout_url" {
			return c.Value.(string)
		}
	}
	t.Fatalf("no logout URL in %s", user)
	return ""
}

// A replica with a wrong clock starts while the store is down. It refuses to judge a logout token
// by its own clock, so that the provider sends the token again.
func TestLogoutTokenIsNotRefusedBeforeTheTimeIsKnown(t *testing.T) {
	t.Parallel()
	g := world.NewStage(t)
	g.Now = func() time.Time { return time.Now().Add(24 * time.Hour).Round(0) }
	g.Start(g.Port, fmt.Sprintf("redis://localhost:%d", servers.FreePort(t)), fmt.Sprintf("  keys: [%q]", world.NewKey()))
	token := g.OP.LogoutToken(func(_, c odd.Claims) { c["sub"] = "alice" })
	answer := g.Browser().Do(http.MethodPost, "/bff/backchannel/main", strings.NewReader(url.Values{"logout_token": {token}}.Encode()),
		"X-CSRF", "", "Content-Type", "application/x-www-form-urlencoded")
	answer.Want(t, http.StatusServiceUnavailable, "store_unavailable")
}

// A replica that starts while Redis is out of memory reads the sessions that exist, and serves
// them.
func TestReplicaThatStartsWhileRedisIsOutOfMemoryServesSessions(t *testing.T) {
	t.Parallel()
	g, redis := world.NewStage(t), servers.Redis(t)
	yaml := fmt.Sprintf("  keys: [%q]", world.NewKey())
	g.Start(g.Port, redis.URL(), yaml)
	b := g.Browser()
	b.Login()
	redis.CLI("config", "set", "maxmemory", "1")
	g.Now = func() time.Time { return time.Now().Add(24 * time.Hour).Round(0) }
	other := servers.FreePort(t)
	g.Start(other, redis.URL(), yaml)
	for range 3 {
		b.Get(world.Local(other)+"/api/x").Want(t, http.StatusOK, "")
		b.Get(world.Local(other)+"/bff/user").Want(t, http.StatusOK, "")
	}
	b.Do(http.MethodPost, world.Local(other)+"/bff/logout", nil).Want(t, http.StatusServiceUnavailable, "store_unavailable")
	redis.CLI("config", "set", "maxmemory", "0")
	b.Do(http.MethodPost, world.Local(other)+"/bff/logout", nil).Want(t, http.StatusOK, "")
}
