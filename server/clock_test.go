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
)

// A machine is a replica on a machine whose clock may be wrong.
type machine struct {
	name, origin, admin string
	off                 time.Duration
}

// machines are replicas over one store, the first of which is where browsers think that they are. The last one's clock
// can be set while it runs.
func machines(t *testing.T, store string) (g *rig, all []machine, set func(time.Duration)) {
	t.Helper()
	g = newStage(t)
	yaml := fmt.Sprintf("  keys: [%q]\n  idle_timeout: 2m", newKey())
	var ahead atomic.Int64
	for i, off := range []time.Duration{0, 24 * time.Hour, -24 * time.Hour, 5 * time.Minute} {
		port := g.port
		if i > 0 {
			port = servers.FreePort(t)
		}
		g.now = func() time.Time { return time.Now().Add(off).Round(0) }
		if i == 3 {
			ahead.Store(int64(off))
			g.now = func() time.Time { return time.Now().Add(time.Duration(ahead.Load())).Round(0) }
		}
		g.start(port, store, yaml)
		all = append(all, machine{off.String(), fmt.Sprintf("http://localhost:%d", port), g.admin, off})
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
func (b *browser) loginAcross(begin, end machine) {
	b.t.Helper()
	asked := b.navigate(begin.origin + "/bff/login?returnUrl=/after")
	back := b.g.op.Login(asked.Header.Get("Location"))
	if answer := b.navigate(end.origin + back.RequestURI()); answer.StatusCode != http.StatusFound || answer.Header.Get("Location") != "/after" {
		b.t.Fatalf("login begun at %s and finished at %s = %d %s", begin.name, end.name, answer.StatusCode, answer.body)
	}
}

// Whichever replica a browser comes to, however wrong the clock of its machine: all that is judged by the time is judged
// by the store's.
func TestReplicasWhoseClocksAreWrongWorkAsTheOthers(t *testing.T) {
	onSharedStores(t, func(t *testing.T, store string) {
		g, all, set := machines(t, store)
		var people []*browser
		for _, begin := range all {
			for _, end := range all {
				b := g.browser()
				b.t = t
				b.loginAcross(begin, end)
				people = append(people, b)
			}
		}
		wantCalls := func() {
			t.Helper()
			for _, b := range people {
				for _, m := range all {
					b.get(m.origin+"/api/x").want(t, http.StatusOK, "")
				}
			}
			if n := len(g.op.Grants("refresh_token")); n != 0 {
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
			b.wantLogoutAcross(m, all[(i+1)%len(all)])
			token := g.op.LogoutToken(func(_, c odd.Claims) { c["sub"] = "somebody-else" })
			body := strings.NewReader(url.Values{"logout_token": {token}}.Encode())
			b.do(http.MethodPost, m.origin+"/bff/backchannel/main", body, "X-CSRF", "", "Content-Type", "application/x-www-form-urlencoded").want(t, http.StatusOK, "")
		}
	})
}

// wantLogoutAcross logs out at one replica, and comes back from the provider to another.
func (b *browser) wantLogoutAcross(begin, end machine) {
	b.t.Helper()
	r := b.navigate(begin.origin + logoutURL(b.t, b.get(begin.origin+"/bff/user").body) + "&returnUrl=/bye")
	next, err := url.Parse(r.Header.Get("Location"))
	if err != nil || r.StatusCode != http.StatusFound || next.Query().Get("state") == "" {
		b.t.Fatalf("logout at %s = %d to %s", begin.name, r.StatusCode, next)
	}
	back := b.navigate(end.origin + "/bff/logout/callback/main?state=" + url.QueryEscape(next.Query().Get("state")))
	if back.Header.Get("Location") != "/bye" {
		b.t.Errorf("back at %s = %d to %q", end.name, back.StatusCode, back.Header.Get("Location"))
	}
}

// A machine whose clock is wrong is told of by log, metric and probe, and its replica is ready all the same.
func TestReplicaSaysThatItsClockIsOff(t *testing.T) {
	onSharedStores(t, func(t *testing.T, store string) {
		g, all, set := machines(t, store)
		b := g.browser()
		b.t = t
		want := func(m machine, probe, metric string) {
			t.Helper()
			eventually(t, "the probe to say "+probe, func() bool {
				r := b.get(m.admin + "/readyz")
				return r.StatusCode == http.StatusOK && strings.Contains(r.body, `"clock":"`+probe)
			})
			if text := b.get(m.admin + "/metrics").body; !strings.Contains(text, "\ncloakroom_clock_offset_seconds "+metric) {
				t.Errorf("%s: the metric is not %s", m.name, metric)
			}
		}
		want(all[1], "this machine's is 24h0m0s ahead of the session store's", "86")
		want(all[2], "this machine's is 24h0m0s behind the session store's", "-86")
		want(all[3], "this machine's is 5m0s ahead", "")
		set(50 * time.Second)
		want(all[3], "ok", "")
		if n := strings.Count(g.log.String(), "this machine's clock differs"); n != 4 {
			t.Errorf("told %d times, want four: of three machines, and of a change", n)
		}
	})
}

// logoutURL is what the answer of /bff/user says.
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

// A replica on a machine whose clock is wrong comes up while the store is down: it does not judge a logout token by its
// own time, and the provider sends it again.
func TestLogoutTokenIsNotRefusedBeforeTheTimeIsKnown(t *testing.T) {
	t.Parallel()
	g := newStage(t)
	g.now = func() time.Time { return time.Now().Add(24 * time.Hour).Round(0) }
	g.start(g.port, fmt.Sprintf("redis://localhost:%d", servers.FreePort(t)), fmt.Sprintf("  keys: [%q]", newKey()))
	token := g.op.LogoutToken(func(_, c odd.Claims) { c["sub"] = "alice" })
	answer := g.browser().do(http.MethodPost, "/bff/backchannel/main", strings.NewReader(url.Values{"logout_token": {token}}.Encode()),
		"X-CSRF", "", "Content-Type", "application/x-www-form-urlencoded")
	answer.want(t, http.StatusServiceUnavailable, "store_unavailable")
}

// A replica that comes up while Redis is out of memory reads the sessions that are there, and serves them.
func TestReplicaThatStartsWhileRedisIsOutOfMemoryServesSessions(t *testing.T) {
	t.Parallel()
	g, redis := newStage(t), servers.Redis(t)
	yaml := fmt.Sprintf("  keys: [%q]", newKey())
	g.start(g.port, redis.URL(), yaml)
	b := g.browser()
	b.login()
	redis.CLI("config", "set", "maxmemory", "1")
	g.now = func() time.Time { return time.Now().Add(24 * time.Hour).Round(0) }
	other := servers.FreePort(t)
	g.start(other, redis.URL(), yaml)
	for range 3 {
		b.get(local(other)+"/api/x").want(t, http.StatusOK, "")
		b.get(local(other)+"/bff/user").want(t, http.StatusOK, "")
	}
	b.do(http.MethodPost, local(other)+"/bff/logout", nil).want(t, http.StatusServiceUnavailable, "store_unavailable")
	redis.CLI("config", "set", "maxmemory", "0")
	b.do(http.MethodPost, local(other)+"/bff/logout", nil).want(t, http.StatusOK, "")
}
