package server_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/cloakroom/cloakroom/test/providers/odd"
)

// silentLogin goes through a login in a hidden frame, and reports what the window around it is told.
func (b *browser) silentLogin() (isLoggedIn bool) {
	b.t.Helper()
	frame := func(path, site string) *reply {
		return b.get(path, "X-CSRF", "", "Sec-Fetch-Mode", "navigate", "Sec-Fetch-Dest", "iframe", "Sec-Fetch-Site", site)
	}
	begin := frame("/bff/silent-login", "same-origin")
	if begin.StatusCode != http.StatusFound {
		b.t.Fatalf("silent login = %d %s", begin.StatusCode, begin.body)
	}
	back := frame(b.g.op.Login(begin.Header.Get("Location")).RequestURI(), "cross-site")
	told, known := strings.Contains(back.body, `data-logged-in="true"`), strings.Contains(back.body, `data-logged-in="`)
	if back.StatusCode != http.StatusOK || !known {
		b.t.Fatalf("callback of a silent login = %d %s", back.StatusCode, back.body)
	}
	return told
}

// A silent login of who is logged in already is no logout: the same session goes on, for as long as before.
func TestSilentLoginGoesOnWithTheSameSession(t *testing.T) {
	g := newRig(t, "")
	b := g.browser()
	b.login()
	rows, before, old := b.get("/bff/sessions").body, b.get("/bff/session").body, b.cookie()
	events := b.stream(g.origin + "/bff/events")
	next(t, events, time.Second)
	next(t, events, time.Second)
	g.serveStreams()
	socket := b.webSocket(g.origin, "/api/echo")

	if !b.silentLogin() {
		t.Error("nobody is said to be logged in")
	}
	if line, _ := next(t, events, time.Second); line != "retry: 500" {
		t.Errorf("listeners hear %q, want to come back in a moment", line)
	}
	wantClosed(t, socket, 1012, "session_continued", time.Second)
	if b.cookie() == old {
		t.Error("the ticket is the old one")
	}
	if after := b.get("/bff/sessions").body; idIn(t, after) != idIn(t, rows) {
		t.Errorf("sessions were %s and are %s, want the same one", rows, after)
	}
	after := b.get("/bff/session").body
	for _, name := range []string{"created_at", "expires_at"} {
		if field(t, after, name) != field(t, before, name) {
			t.Errorf("session was %s and is %s, want the same life", before, after)
		}
	}
}

// Nobody sees a hidden frame: it must not make the session somebody else's.
func TestSilentLoginOfAnotherUserChangesNothing(t *testing.T) {
	g := newRig(t, "")
	b := g.browser()
	b.login()
	old := b.cookie()
	g.op.OnClaims(func(_ string, claims odd.Claims) { claims["sub"] = "mallory" })
	if b.silentLogin() {
		t.Error("somebody is said to be logged in")
	}
	if who := field(t, b.get("/bff/session").body, "subject"); who != "alice" || b.cookie() != old {
		t.Errorf("the session is %s's, want alice's, as it was", who)
	}
	eventually(t, "the tokens of the other user to be revoked", func() bool { return g.op.Count(odd.Revocation) > 0 })
	b.get("/api/x").want(t, http.StatusOK, "")
}

// Who logs out while a frame is at the provider stays logged out.
func TestSilentLoginUndoesNoLogout(t *testing.T) {
	g := newRig(t, "")
	b := g.browser()
	b.login()
	frame := []string{"X-CSRF", "", "Sec-Fetch-Mode", "navigate", "Sec-Fetch-Dest", "iframe"}
	begin := b.get("/bff/silent-login", append(frame, "Sec-Fetch-Site", "same-origin")...)
	b.do(http.MethodPost, "/bff/logout", nil).want(t, http.StatusOK, "")
	back := b.get(g.op.Login(begin.Header.Get("Location")).RequestURI(), append(frame, "Sec-Fetch-Site", "cross-site")...)
	if !strings.Contains(back.body, `data-logged-in="false"`) {
		t.Errorf("callback = %d %s, want that nobody is logged in", back.StatusCode, back.body)
	}
	b.get("/bff/user").want(t, http.StatusUnauthorized, "")
	if !b.silentLogin() {
		t.Error("a silent login after the logout is refused")
	}
}

func TestSilentLoginOfNobodyStartsASession(t *testing.T) {
	g := newRig(t, "")
	b := g.browser()
	if !b.silentLogin() {
		t.Error("nobody is said to be logged in")
	}
	b.get("/api/x").want(t, http.StatusOK, "")
}
