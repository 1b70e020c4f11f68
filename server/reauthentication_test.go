package server_test

import (
	"fmt"
	"net/http"
	"sync/atomic"
	"testing"
	"time"

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
