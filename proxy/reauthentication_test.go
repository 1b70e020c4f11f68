package proxy_test

import (
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/cloakroom/cloakroom/test/world"

	"github.com/coder/websocket"

	"github.com/cloakroom/cloakroom/test/providers/odd"
	"github.com/cloakroom/cloakroom/test/servers"
)

// A renewal behind a request is refused: the request is served, and the browser that comes next is told to log in again,
// never that nobody was logged in. So it is at the other replica, and at one that has been started since.
func TestRefusalBehindTheRequestAsksForALogin(t *testing.T) {
	for name, store := range map[string]string{
		"Redis": servers.Redis(t).URL(), "PostgreSQL": servers.Postgres(t, "fsync=off").URL(),
	} {
		t.Run(name, func(t *testing.T) {
			g := world.NewStage(t)
			g.OP.SetTokenLife(world.ShortLife)
			key := "  keys: [" + world.NewKey() + "]"
			g.Start(g.Port, store, key)
			other := servers.FreePort(t)
			g.Start(other, store, key)
			b := g.Browser()
			b.Login()
			ticket := b.Cookie()
			undo := g.OP.Intercept(odd.Token, odd.OAuthError(http.StatusBadRequest, "invalid_grant"))
			b.UntilRefused()
			third := servers.FreePort(t)
			g.Start(third, store, key)
			for _, origin := range []string{g.Origin, world.Local(other), world.Local(third)} {
				for _, path := range []string{"/api/x", "/bff/user", "/bff/sessions", "/bff/auth"} {
					b.Get(origin+path).Want(t, http.StatusUnauthorized, "reauthentication_required")
				}
				b.Do(http.MethodPost, origin+"/bff/session/refresh", nil).Want(t, http.StatusUnauthorized, "reauthentication_required")
				if r := b.Get(origin + "/bff/session"); r.StatusCode != http.StatusOK || r.Text != "{\"authenticated\":false}\n" {
					t.Errorf("session = %d %s", r.StatusCode, r.Text)
				}
			}
			if b.Cookie() != ticket {
				t.Error("the cookie was taken away, and with it the reason")
			}
			undo()
			g.Browser().Get("/api/x").Want(t, http.StatusUnauthorized, "not_authenticated")
			b.Login()
			b.Get("/api/x").Want(t, http.StatusOK, "")
		})
	}
}

// The provider wants the user to log in again: calls go on while the access token is valid, the app hears of it at every
// replica, and what is open stays open. Then calls say where to log in. The login replaces the session, and the refresh
// token that it had kept is revoked.
func TestProviderThatWantsALoginLogsNobodyOut(t *testing.T) {
	g := world.NewStage(t)
	g.OP.SetTokenLife(world.ShortLife)
	store, key := servers.Redis(t).URL(), "  keys: ["+world.NewKey()+"]"
	g.Start(g.Port, store, key)
	port := servers.FreePort(t)
	g.Start(port, store, key)
	b := g.Browser()
	b.Login()
	old := g.OP.LiveRefreshTokens()
	g.ServeStreams()
	socket := b.WebSocket(g.Origin, "/api/echo")
	g.API.Respond(nil)
	var events []<-chan string
	for _, origin := range []string{g.Origin, world.Local(port)} {
		lines := b.Stream(origin + "/bff/events")
		world.Next(t, lines, 5*time.Second)
		world.Next(t, lines, 5*time.Second)
		events = append(events, lines)
	}
	undo := g.OP.Intercept(odd.Token, odd.OAuthError(http.StatusBadRequest, "interaction_required"))
	if said := b.UntilRefused().Text; !strings.Contains(said, `"login_url":"/bff/login?returnUrl=%2Fpage%3Fa%3Db"`) {
		t.Errorf("the answer does not say where to log in: %s", said)
	}
	for i, lines := range events {
		for {
			if line, _ := world.Next(t, lines, 10*time.Second); strings.Contains(line, `"reauthentication_required":true`) {
				break
			} else if strings.Contains(line, "ended") {
				t.Fatalf("replica %d says %s", i, line)
			}
		}
	}
	for _, origin := range []string{g.Origin, world.Local(port)} {
		b.Get(origin+"/api/x").Want(t, http.StatusUnauthorized, "reauthentication_required")
		b.Do(http.MethodPost, origin+"/bff/session/refresh", nil).Want(t, http.StatusUnauthorized, "reauthentication_required")
		b.Get(origin+"/bff/user").Want(t, http.StatusOK, "")
		said := b.Get(origin + "/bff/session").Text
		if !strings.Contains(said, `"authenticated":true`) || !strings.Contains(said, `"reauthentication_required":true`) {
			t.Errorf("session = %s", said)
		}
	}
	if n := g.OP.Count(odd.Token); n != 2 { // the login's, and one that was refused
		t.Errorf("token requests = %d, want 2: the provider is asked once a minute", n)
	}
	wantEcho(t, socket)
	if live := g.OP.LiveRefreshTokens(); !slices.Equal(live, old) {
		t.Error("the refresh token was revoked before the new login")
	}

	undo()
	g.OP.SetTokenLife(time.Minute)
	b.Login()
	b.Get("/api/x").Want(t, http.StatusOK, "")
	if said := b.Get("/bff/session").Text; strings.Contains(said, "reauthentication_required") {
		t.Errorf("session after the login = %s", said)
	}
	world.Eventually(t, "the old refresh token to be revoked", func() bool {
		return !slices.Contains(g.OP.LiveRefreshTokens(), old[0])
	})
}

// A stronger login is a new login: it clears the state as well.
func TestStepUpEndsTheNeedForALogin(t *testing.T) {
	g := world.NewStage(t)
	g.OP.SetTokenLife(world.ShortLife)
	g.Start(g.Port, "sqlite:"+g.DB, "")
	b := g.Browser()
	b.Login()
	undo := g.OP.Intercept(odd.Token, odd.OAuthError(http.StatusBadRequest, "consent_required"))
	b.UntilRefused()
	undo()
	b.StepUp("/bff/login?step_up=1").Want(t, http.StatusFound, "")
	said := b.Get("/bff/session").Text
	if !strings.Contains(said, `"authenticated":true`) || strings.Contains(said, "reauthentication_required") {
		t.Errorf("session after the step-up = %s", said)
	}
}

// A call that is cut because its session ends is told why, as the next one is.
func TestCallThatIsCutByTheEndIsToldWhy(t *testing.T) {
	for name, end := range map[string]struct {
		do   func(g *world.World, b *world.Browser)
		code string
	}{
		"refused renewal": {func(g *world.World, b *world.Browser) {
			g.OP.Intercept(odd.Token, odd.OAuthError(http.StatusBadRequest, "invalid_grant"))
			b.Do(http.MethodPost, "/bff/session/refresh", nil).Want(t, http.StatusUnauthorized, "reauthentication_required")
		}, "reauthentication_required"},
		"administrator": {func(g *world.World, b *world.Browser) {
			b.Do(http.MethodDelete, g.Admin+"/admin/sessions?subject=alice&provider=main", nil, "Authorization", "Bearer "+world.AdminToken)
		}, "not_authenticated"},
	} {
		t.Run(name, func(t *testing.T) {
			g := world.NewStage(t)
			cfg := g.Config(g.Port, "sqlite:"+g.DB, "")
			cfg.Proxy.Routes[0].Timeout = time.Minute
			g.Run(cfg)
			asked := make(chan struct{})
			g.API.Respond(func(_ http.ResponseWriter, r *http.Request) {
				close(asked)
				<-r.Context().Done()
			})
			b := g.Browser()
			b.Login()
			cut := make(chan *world.Reply)
			go func() { cut <- b.Get("/api/slow") }()
			<-asked
			end.do(g, b)
			(<-cut).Want(t, http.StatusUnauthorized, end.code)
		})
	}
}

// wantEcho wants a WebSocket to work.
func wantEcho(t *testing.T, c *websocket.Conn) {
	t.Helper()
	if err := c.Write(t.Context(), websocket.MessageText, []byte("hi")); err != nil {
		t.Fatalf("write to the WebSocket: %v", err)
	}
	if _, said, err := c.Read(t.Context()); err != nil || string(said) != "hi" {
		t.Errorf("echo = %q %v, want hi", said, err)
	}
}
