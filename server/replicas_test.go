package server_test

import (
	"context"
	"fmt"
	"net/http"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/cloakroom/cloakroom/server"
	"github.com/cloakroom/cloakroom/test/servers"
	"github.com/cloakroom/cloakroom/test/world"
)

// WS4: a logout at one replica ends the streams at the other within a second, however the logout
// came.
func TestEndAtOneReplicaEndsStreamsAtTheOther(t *testing.T) {
	redis, pg := servers.Redis(t).URL(), servers.Postgres(t, "fsync=off").URL()
	for name, store := range map[string]string{"Redis": redis, "PostgreSQL": pg} {
		for reason, end := range map[string]func(p *world.Duo, b *world.Browser){
			"logout": func(_ *world.Duo, b *world.Browser) {
				b.Do(http.MethodPost, "/bff/logout", nil).Want(b.T, http.StatusOK, "")
			},
			"provider_logout": func(p *world.Duo, b *world.Browser) {
				p.Browser().Backchannel(p.OP.LogoutToken(world.BySub("alice"))).Want(b.T, http.StatusOK, "")
			},
			"revoked": func(p *world.Duo, b *world.Browser) {
				b.Do(http.MethodDelete, p.Admin+"/admin/sessions?subject=alice&provider=main", nil,
					"Authorization", "Bearer "+world.AdminToken)
			},
		} {
			t.Run(name+"/"+reason, func(t *testing.T) {
				p := world.NewDuo(t, store, "")
				p.API.Respond(func(w http.ResponseWriter, r *http.Request) {
					w.Header().Set("Content-Type", "text/event-stream")
					_, _ = w.Write([]byte("data: open\n\n"))
					_ = http.NewResponseController(w).Flush()
					<-r.Context().Done()
				})
				b := p.Browser()
				b.T = t
				b.Login()
				events, api := b.Stream(p.Other+"/bff/events"), b.Stream(p.Other+"/api/stream")
				for _, lines := range []<-chan string{events, api} {
					world.Next(t, lines, 5*time.Second)
				}
				world.Next(t, events, time.Second) // the session
				end(p, b)
				if line, _ := world.Next(t, events, time.Second); line != "event: ended" {
					t.Errorf("event = %q, want the end", line)
				}
				if line, _ := world.Next(t, events, time.Second); line != fmt.Sprintf(`data: {"reason":%q}`, reason) {
					t.Errorf("it says %q, want %q", line, reason)
				}
				if line, open := world.Next(t, api, time.Second); open {
					t.Errorf("the stream goes on: %q", line)
				}
				b.Get(p.Other+"/bff/user").Want(t, http.StatusUnauthorized, "not_authenticated")
			})
		}
	}
}

// C4.7: while the store hangs, every answer is 503 within two seconds, most at once, and no cookie
// changes. Seconds after the store is back, everything works as before.
func TestHangingStoreIsAnsweredInTwoSeconds(t *testing.T) {
	redis := servers.Redis(t)
	g := world.NewStage(t)
	g.Start(g.Port, redis.URL(), fmt.Sprintf("  keys: [%q]\n  max_staleness: 1s", world.NewKey()))
	b := g.Browser()
	b.Login()
	begin := b.Navigate("/bff/login?returnUrl=/after")
	callback := g.OP.Login(begin.Header.Get("Location")).RequestURI()
	redis.Pause()
	time.Sleep(1100 * time.Millisecond) // what was cached is stale
	for _, ask := range []func() *world.Reply{
		func() *world.Reply { return b.Navigate(callback) }, // before the store is known not to answer
		func() *world.Reply { return b.Get("/bff/user") }, func() *world.Reply { return b.Get("/api/x") },
		func() *world.Reply { return b.Do(http.MethodPost, "/bff/logout", nil) }, func() *world.Reply { return b.Navigate("/") },
		func() *world.Reply { return b.Get("/bff/events") }, func() *world.Reply { return b.Get("/bff/sessions") },
	} {
		began := time.Now()
		r := ask()
		if took := time.Since(began); took > 2*time.Second {
			t.Errorf("%s %s took %v", r.Request.Method, r.Request.URL.Path, took)
		}
		if r.Request.URL.Path == "/" {
			r.Want(t, http.StatusOK, "") // the app itself needs no session
			continue
		}
		if r.StatusCode != http.StatusServiceUnavailable || r.Header.Get("Retry-After") == "" {
			t.Errorf("%s %s = %d, Retry-After %q", r.Request.Method, r.Request.URL.Path, r.StatusCode, r.Header.Get("Retry-After"))
		}
		for _, c := range r.Header["Set-Cookie"] {
			if strings.HasPrefix(c, "cloakroom=") {
				t.Errorf("%s %s sets the cookie %s", r.Request.Method, r.Request.URL.Path, c)
			}
		}
	}
	if r := b.Get(g.Admin + "/readyz"); r.StatusCode != http.StatusServiceUnavailable || !strings.Contains(r.Text, "session store") {
		t.Errorf("readiness = %d %s", r.StatusCode, r.Text)
	}
	redis.Continue()
	began := time.Now()
	world.Eventually(t, "the session to be served again", func() bool { return b.Get("/api/x").StatusCode == http.StatusOK })
	if took := time.Since(began); took > 5*time.Second {
		t.Errorf("it took %v to be well again", took)
	}
}

// With session.on_outage: serve_cached, cached sessions are served for outage_limit. A logout is
// refused.
func TestOutageServesWhatIsCachedIfTold(t *testing.T) {
	redis := servers.Redis(t)
	g := world.NewStage(t)
	g.Start(g.Port, redis.URL(), fmt.Sprintf(
		"  keys: [%q]\n  max_staleness: 1s\n  on_outage: serve_cached\n  outage_limit: 5s", world.NewKey(),
	))
	b := g.Browser()
	b.Login()
	b.Get("/api/x").Want(t, http.StatusOK, "")
	redis.Kill()
	began := time.Now()
	time.Sleep(1500 * time.Millisecond)
	b.Get("/api/x").Want(t, http.StatusOK, "")
	other := g.Browser()
	other.Navigate("/bff/login").Want(t, http.StatusFound, "") // to the provider; only the way back needs the store
	world.Eventually(t, "the limit to be over", func() bool { return b.Get("/api/x").StatusCode == http.StatusServiceUnavailable })
	if served := time.Since(began); served < 4*time.Second || served > 8*time.Second {
		t.Errorf("served for %v, want about the limit of 5s", served)
	}
	b.Do(http.MethodPost, "/bff/logout", nil).Want(t, http.StatusServiceUnavailable, "store_unavailable")
	redis.Start()
	world.Eventually(t, "the session to be served again", func() bool { return b.Get("/api/x").StatusCode == http.StatusOK })
}

// Keys are replaced while the service runs. At no moment is anybody logged out.
func TestKeysAreTakenOverWithoutARestart(t *testing.T) {
	store := servers.Redis(t).URL()
	g := world.NewStage(t)
	old, fresh := world.NewKey(), world.NewKey()
	s := g.Start(g.Port, store, fmt.Sprintf("  keys: [%q]", old))
	early := g.Browser()
	early.Login()
	attempt := early.Navigate("/bff/login?returnUrl=/after") // one that is under way meanwhile
	reload := func(keys string) error { return s.Reload(g.Config(g.Port, store, "  keys: ["+keys+"]")) }
	if err := reload(fmt.Sprintf("%q", old)); err != nil || !strings.Contains(g.Log.String(), "keys are unchanged") {
		t.Errorf("keys that did not change are not told of: %v", err)
	}
	before := len(g.Log.String())
	if err := reload(fmt.Sprintf("%q, %q", fresh, old)); err != nil {
		t.Fatal(err)
	}
	said := g.Log.String()[before:]
	ids := regexp.MustCompile(`"[0-9a-f]{8}"`).FindAllString(said, -1)
	if strings.Contains(said, "keys are unchanged") || len(ids) != 2 {
		t.Errorf("the log of a change = %s, want both keys' ids", said)
	}
	early.Get("/api/x").Want(t, http.StatusOK, "")
	if back := early.Navigate(g.OP.Login(attempt.Header.Get("Location")).RequestURI()); back.StatusCode != http.StatusFound {
		t.Errorf("a login that was under way = %d %s", back.StatusCode, back.Text)
	}
	late := g.Browser()
	late.Login()
	if err := reload(fmt.Sprintf("%q", fresh)); err != nil {
		t.Fatal(err)
	}
	late.Get("/api/x").Want(t, http.StatusOK, "")
	if !strings.Contains(g.Log.String(), "session.keys were read anew") || strings.Contains(g.Log.String(), "other changes") {
		t.Error("the log does not say what was taken over")
	}
	cfg := g.Config(g.Port, store, fmt.Sprintf("  keys: [%q]\n  lifetime: 1h", fresh))
	if err := s.Reload(cfg); err != nil || !strings.Contains(g.Log.String(), "other changes") {
		t.Errorf("a change that needs a restart is not told of: %v", err)
	}
}

// A memory store needs no keys, and its sessions survive a reload.
func TestReloadWithoutKeysLogsNobodyOut(t *testing.T) {
	g := world.NewStage(t)
	s := g.Start(g.Port, "memory:", "")
	b := g.Browser()
	b.Login()
	if err := s.Reload(g.Config(g.Port, "memory:", "")); err != nil {
		t.Fatal(err)
	}
	b.Get("/api/x").Want(t, http.StatusOK, "")
}

// The service announces a shutdown before it stops: readiness fails while requests are still
// answered, streams are told to come back, and requests under way are finished.
func TestStopIsToldBeforeItHappens(t *testing.T) {
	g := world.NewStage(t)
	cfg := g.Config(g.Port, "memory:", "")
	cfg.Listen.DrainDelay = 500 * time.Millisecond
	release := make(chan struct{})
	g.API.Respond(func(w http.ResponseWriter, _ *http.Request) {
		<-release
		_, _ = w.Write([]byte("done"))
	})
	ctx, cancel := context.WithCancel(t.Context())
	s, err := server.New(ctx, cfg, server.Options{Logger: world.Quiet()})
	if err == nil {
		err = s.Listen(ctx, nil, nil)
	}
	if err != nil {
		t.Fatal(err)
	}
	admin := "http://" + s.AdminAddr().String()
	ended := make(chan error, 1)
	go func() { ended <- s.Run(ctx) }()
	b := g.Browser()
	b.Login()
	events := b.Stream(g.Origin + "/bff/events")
	world.Next(t, events, time.Second)
	world.Next(t, events, time.Second)
	slow := make(chan *world.Reply, 1)
	go func() { slow <- b.Get("/api/slow") }()
	world.Eventually(t, "the request to be under way", func() bool { return len(g.API.Requests()) == 1 })

	cancel()
	world.Eventually(t, "readiness to fail", func() bool { return b.Get(admin+"/readyz").StatusCode == http.StatusServiceUnavailable })
	r := b.Get("/bff/session")
	r.Want(t, http.StatusOK, "")
	if !r.Close {
		t.Error("the connection is kept, though the service is about to stop")
	}
	if line, _ := world.Next(t, events, 3*time.Second); !strings.HasPrefix(line, "retry: ") {
		t.Errorf("the stream says %q, want when to come back", line)
	}
	if line, open := world.Next(t, events, time.Second); open {
		t.Errorf("the stream goes on: %q", line)
	}
	close(release)
	if r := <-slow; r.StatusCode != http.StatusOK || r.Text != "done" {
		t.Errorf("the request under way = %d %q", r.StatusCode, r.Text)
	}
	if err := <-ended; err != nil {
		t.Errorf("stop: %v", err)
	}
}
