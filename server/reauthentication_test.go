package server_test

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/coder/websocket"

	"github.com/cloakroom/cloakroom/test/providers/odd"
	"github.com/cloakroom/cloakroom/test/servers"
)

// movable makes a rig's clock one that a test can move forward.
func (g *rig) movable() (forward func(time.Duration)) {
	var moved atomic.Int64
	g.now = func() time.Time { return time.Now().Add(time.Duration(moved.Load())) }
	return func(d time.Duration) { moved.Add(int64(d)) }
}

// local is the address of a replica that nobody but tests would use.
func local(port int) string { return fmt.Sprintf("http://localhost:%d", port) }

// A renewal behind a request is refused: the request is served, and the browser that comes next is told to log in again,
// never that nobody was logged in. So it is at the other replica, and at one that has been started since.
func TestRefusalBehindTheRequestAsksForALogin(t *testing.T) {
	for name, store := range map[string]string{"Redis": servers.Redis(t).URL(), "PostgreSQL": servers.Postgres(t, "fsync=off").URL()} {
		t.Run(name, func(t *testing.T) {
			g := newStage(t)
			forward := g.movable()
			key := "  keys: [" + newKey() + "]"
			g.start(g.port, store, key)
			other := freePort(t)
			g.start(other, store, key)
			b := g.browser()
			b.login()
			ticket := b.cookie()
			forward(4*time.Minute + 10*time.Second) // of the five that the token lives
			undo := g.op.Intercept(odd.Token, odd.OAuthError(http.StatusBadRequest, "invalid_grant"))
			b.get("/api/x").want(t, http.StatusOK, "")
			answer := b.get("/api/x")
			eventually(t, "the session to end", func() bool {
				answer = b.get("/api/x")
				return answer.StatusCode != http.StatusOK
			})
			third := freePort(t)
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
			answer.want(t, http.StatusUnauthorized, "reauthentication_required")
			if b.cookie() != ticket {
				t.Error("the cookie was taken away, and with it the reason")
			}
			undo()
			forward(-4*time.Minute - 10*time.Second) // the provider's clock has not moved
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
	forward := g.movable()
	store, key := servers.Redis(t).URL(), "  keys: ["+newKey()+"]"
	g.start(g.port, store, key)
	port := freePort(t)
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
	const most = 4*time.Minute + 10*time.Second // of the five that the token lives
	forward(most)
	b.get("/api/x").want(t, http.StatusOK, "")
	for i, lines := range events {
		for {
			if line, _ := next(t, lines, 10*time.Second); strings.Contains(line, `"reauthentication_required":true`) {
				break
			} else if strings.Contains(line, "ended") {
				t.Fatalf("replica %d says %s", i, line)
			}
		}
	}
	b.get("/api/x").want(t, http.StatusOK, "")
	forward(time.Minute) // the token has run out, and it is time to ask again
	for _, origin := range []string{g.origin, local(port)} {
		b.get(origin+"/api/x", "Referer", g.origin+"/page?a=b").want(t, http.StatusUnauthorized, "reauthentication_required")
		if said := b.get(origin+"/api/x", "Referer", g.origin+"/page?a=b").body; !strings.Contains(said, `"login_url":"/bff/login?returnUrl=%2Fpage%3Fa%3Db"`) {
			t.Errorf("the answer does not say where to log in: %s", said)
		}
		b.do(http.MethodPost, origin+"/bff/session/refresh", nil).want(t, http.StatusUnauthorized, "reauthentication_required")
		b.get(origin+"/bff/user").want(t, http.StatusOK, "")
		if said := b.get(origin + "/bff/session").body; !strings.Contains(said, `"authenticated":true`) || !strings.Contains(said, `"reauthentication_required":true`) {
			t.Errorf("session = %s", said)
		}
	}
	if n := g.op.Count(odd.Token); n != 3 { // the login's, and two that were refused
		t.Errorf("token requests = %d, want 3", n)
	}
	wantEcho(t, socket)
	if live := g.op.LiveRefreshTokens(); !slices.Equal(live, old) {
		t.Error("the refresh token was revoked before the new login")
	}

	undo()
	forward(-most - time.Minute) // the provider's clock has not moved
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
	forward := g.movable()
	g.start(g.port, "sqlite:"+g.db, "")
	b := g.browser()
	b.login()
	undo := g.op.Intercept(odd.Token, odd.OAuthError(http.StatusBadRequest, "consent_required"))
	forward(6 * time.Minute)
	b.get("/api/x").want(t, http.StatusUnauthorized, "reauthentication_required")
	undo()
	forward(-6 * time.Minute)
	b.stepUp("/bff/login?step_up=1").want(t, http.StatusFound, "")
	if said := b.get("/bff/session").body; !strings.Contains(said, `"authenticated":true`) || strings.Contains(said, "reauthentication_required") {
		t.Errorf("session after the step-up = %s", said)
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
