package server_test

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"

	"github.com/cloakroom/cloakroom/test/providers/odd"
	"github.com/cloakroom/cloakroom/test/servers"
)

// shortLife is a token's in these tests: renewed behind requests from about 2.2 s on, and in front of them from 2.7 s.
const shortLife = 3 * time.Second

// untilRefused calls the API until it answers 401, and wants every answer before that to be good.
func (b *browser) untilRefused() *reply {
	b.t.Helper()
	var answer *reply
	eventually(b.t, "calls to be refused", func() bool {
		answer = b.get("/api/x", "Referer", b.g.origin+"/page?a=b")
		return answer.StatusCode != http.StatusOK
	})
	answer.want(b.t, http.StatusUnauthorized, "reauthentication_required")
	return answer
}

// local is the address of a replica that nobody but tests would use.
func local(port int) string { return fmt.Sprintf("http://localhost:%d", port) }

// A renewal behind a request is refused: the request is served, and the browser that comes next is told to log in again,
// never that nobody was logged in. So it is at the other replica, and at one that has been started since.
func TestRefusalBehindTheRequestAsksForALogin(t *testing.T) {
	for name, store := range map[string]string{"Redis": servers.Redis(t).URL(), "PostgreSQL": servers.Postgres(t, "fsync=off").URL()} {
		t.Run(name, func(t *testing.T) {
			g := newStage(t)
			g.op.SetTokenLife(shortLife)
			key := "  keys: [" + newKey() + "]"
			g.start(g.port, store, key)
			other := servers.FreePort(t)
			g.start(other, store, key)
			b := g.browser()
			b.login()
			ticket := b.cookie()
			undo := g.op.Intercept(odd.Token, odd.OAuthError(http.StatusBadRequest, "invalid_grant"))
			b.untilRefused()
			third := servers.FreePort(t)
			g.start(third, store, key)
			for _, origin := range []string{g.origin, local(other), local(third)} {
				for _, path := range []string{"/api/x", "/bff/user", "/bff/sessions", "/bff/auth"} {
					b.get(origin+path).want(t, http.StatusUnauthorized, "reauthentication_required")
				}
				b.do(http.MethodPost, origin+"/bff/session/refresh", nil).want(t, http.StatusUnauthorized, "reauthentication_required")
				if r := b.get(origin + "/bff/session"); r.StatusCode != http.StatusOK || r.body != "{\"authenticated\":false}\n" {
					t.Errorf("session = %d %s", r.StatusCode, r.body)
				}
			}
			if b.cookie() != ticket {
				t.Error("the cookie was taken away, and with it the reason")
			}
			undo()
			g.browser().get("/api/x").want(t, http.StatusUnauthorized, "not_authenticated")
			b.login()
			b.get("/api/x").want(t, http.StatusOK, "")
		})
	}
}

// The provider wants the user to log in again: calls go on while the access token is valid, the app hears of it at every
// replica, and what is open stays open. Then calls say where to log in. The login replaces the session, and the refresh
// token that it had kept is revoked.
func TestProviderThatWantsALoginLogsNobodyOut(t *testing.T) {
	g := newStage(t)
	g.op.SetTokenLife(shortLife)
	store, key := servers.Redis(t).URL(), "  keys: ["+newKey()+"]"
	g.start(g.port, store, key)
	port := servers.FreePort(t)
	g.start(port, store, key)
	b := g.browser()
	b.login()
	old := g.op.LiveRefreshTokens()
	g.serveStreams()
	socket := b.webSocket(g.origin, "/api/echo")
	g.api.respond(nil)
	var events []<-chan string
	for _, origin := range []string{g.origin, local(port)} {
		lines := b.stream(origin + "/bff/events")
		next(t, lines, 5*time.Second)
		next(t, lines, 5*time.Second)
		events = append(events, lines)
	}
	undo := g.op.Intercept(odd.Token, odd.OAuthError(http.StatusBadRequest, "interaction_required"))
	if said := b.untilRefused().body; !strings.Contains(said, `"login_url":"/bff/login?returnUrl=%2Fpage%3Fa%3Db"`) {
		t.Errorf("the answer does not say where to log in: %s", said)
	}
	for i, lines := range events {
		for {
			if line, _ := next(t, lines, 10*time.Second); strings.Contains(line, `"reauthentication_required":true`) {
				break
			} else if strings.Contains(line, "ended") {
				t.Fatalf("replica %d says %s", i, line)
			}
		}
	}
	for _, origin := range []string{g.origin, local(port)} {
		b.get(origin+"/api/x").want(t, http.StatusUnauthorized, "reauthentication_required")
		b.do(http.MethodPost, origin+"/bff/session/refresh", nil).want(t, http.StatusUnauthorized, "reauthentication_required")
		b.get(origin+"/bff/user").want(t, http.StatusOK, "")
		said := b.get(origin + "/bff/session").body
		if !strings.Contains(said, `"authenticated":true`) || !strings.Contains(said, `"reauthentication_required":true`) {
			t.Errorf("session = %s", said)
		}
	}
	if n := g.op.Count(odd.Token); n != 2 { // the login's, and one that was refused
		t.Errorf("token requests = %d, want 2: the provider is asked once a minute", n)
	}
	wantEcho(t, socket)
	if live := g.op.LiveRefreshTokens(); !slices.Equal(live, old) {
		t.Error("the refresh token was revoked before the new login")
	}

	undo()
	g.op.SetTokenLife(time.Minute)
	b.login()
	b.get("/api/x").want(t, http.StatusOK, "")
	if said := b.get("/bff/session").body; strings.Contains(said, "reauthentication_required") {
		t.Errorf("session after the login = %s", said)
	}
	eventually(t, "the old refresh token to be revoked", func() bool {
		return !slices.Contains(g.op.LiveRefreshTokens(), old[0])
	})
}

// A stronger login is a new login: it clears the state as well.
func TestStepUpEndsTheNeedForALogin(t *testing.T) {
	g := newStage(t)
	g.op.SetTokenLife(shortLife)
	g.start(g.port, "sqlite:"+g.db, "")
	b := g.browser()
	b.login()
	undo := g.op.Intercept(odd.Token, odd.OAuthError(http.StatusBadRequest, "consent_required"))
	b.untilRefused()
	undo()
	b.stepUp("/bff/login?step_up=1").want(t, http.StatusFound, "")
	if said := b.get("/bff/session").body; !strings.Contains(said, `"authenticated":true`) || strings.Contains(said, "reauthentication_required") {
		t.Errorf("session after the step-up = %s", said)
	}
}

// A call that is cut because its session ends is told why, as the next one is.
func TestCallThatIsCutByTheEndIsToldWhy(t *testing.T) {
	for name, end := range map[string]struct {
		do   func(g *rig, b *browser)
		code string
	}{
		"refused renewal": {func(g *rig, b *browser) {
			g.op.Intercept(odd.Token, odd.OAuthError(http.StatusBadRequest, "invalid_grant"))
			b.do(http.MethodPost, "/bff/session/refresh", nil).want(t, http.StatusUnauthorized, "reauthentication_required")
		}, "reauthentication_required"},
		"administrator": {func(g *rig, b *browser) {
			b.do(http.MethodDelete, g.admin+"/admin/sessions?subject=alice&provider=main", nil, "Authorization", "Bearer "+adminToken)
		}, "not_authenticated"},
	} {
		t.Run(name, func(t *testing.T) {
			g := newStage(t)
			cfg := g.config(g.port, "sqlite:"+g.db, "")
			cfg.Proxy.Routes[0].Timeout = time.Minute
			g.run(cfg)
			asked := make(chan struct{})
			g.api.respond(func(_ http.ResponseWriter, r *http.Request) {
				close(asked)
				<-r.Context().Done()
			})
			b := g.browser()
			b.login()
			cut := make(chan *reply)
			go func() { cut <- b.get("/api/slow") }()
			<-asked
			end.do(g, b)
			(<-cut).want(t, http.StatusUnauthorized, end.code)
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
