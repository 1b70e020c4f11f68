package server_test

import (
	"html"
	"net/http"
	"net/url"
	"regexp"
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
	return b.silentResult(frame(b.g.op.Login(begin.Header.Get("Location")).RequestURI(), "cross-site"))
}

var confirmation = regexp.MustCompile(`data-confirm-url="([^"]*)" data-confirm="([^"]*)"`)

// silentResult does what the script of a silent login's last page does, and returns what it tells the parent window.
func (b *browser) silentResult(page *reply) (isLoggedIn bool) {
	b.t.Helper()
	found := confirmation.FindStringSubmatch(page.body)
	if page.StatusCode != http.StatusOK || found == nil {
		b.t.Fatalf("callback of a silent login = %d %s", page.StatusCode, page.body)
	}
	if found[1] == "" {
		return false
	}
	answer := b.do(http.MethodPost, found[1], strings.NewReader(url.Values{"confirm": {html.UnescapeString(found[2])}}.Encode()),
		"Content-Type", "application/x-www-form-urlencoded;charset=UTF-8")
	if answer.StatusCode != http.StatusOK {
		b.t.Fatalf("confirmation of a silent login = %d %s", answer.StatusCode, answer.body)
	}
	return answer.body == `{"isLoggedIn":true}`+"\n"
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
	g.op.SetUser(odd.Claims{"sub": "mallory"})
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
	if b.silentResult(back) {
		t.Error("somebody is said to be logged in")
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

// beginSilently begins a silent login and returns where the provider sends the frame.
func (b *browser) beginSilently() (callback string) {
	b.t.Helper()
	begin := b.get("/bff/silent-login", "X-CSRF", "", "Sec-Fetch-Mode", "navigate", "Sec-Fetch-Dest", "iframe", "Sec-Fetch-Site", "same-origin")
	if begin.StatusCode != http.StatusFound {
		b.t.Fatalf("silent login = %d %s", begin.StatusCode, begin.body)
	}
	return b.g.callback(begin)
}

// callback is where the provider sends a browser whose login began with this answer; parameters of a form_post are
// in the query, too.
func (g *rig) callback(begin *reply) string {
	return g.op.Login(strings.Replace(begin.Header.Get("Location"), "response_mode=form_post", "response_mode=query", 1)).RequestURI()
}

// Tracking prevention keeps cookies from a frame that another site has led here: the answer is that nobody is logged
// in, at once, and no code is sent anywhere. A window gets the page that says so.
func TestSilentLoginWhoseCookieStaysAwayAnswersAtOnce(t *testing.T) {
	g := newRig(t, "")
	b := g.browser()
	callback, stranger := b.beginSilently(), g.browser() // who has no cookies is as good as who does not send them
	for _, dest := range []string{"iframe", "frame"} {
		page := stranger.get(callback, "X-CSRF", "", "Sec-Fetch-Mode", "navigate", "Sec-Fetch-Dest", dest, "Sec-Fetch-Site", "cross-site")
		if b.silentResult(page) {
			t.Errorf("in an %s somebody is said to be logged in", dest)
		}
	}
	if n := len(g.op.Grants("authorization_code")); n != 0 {
		t.Errorf("codes sent to the provider = %d, want 0", n)
	}
	window := stranger.get(callback, "X-CSRF", "", "Sec-Fetch-Mode", "navigate", "Sec-Fetch-Dest", "document", "Sec-Fetch-Site", "cross-site")
	if confirmation.MatchString(window.body) {
		t.Errorf("a window gets the page that speaks to its parent: %s", window.body)
	}
}

// A browser that drops every cookie of the callback's answer has no session: it is told so, and the session that
// nobody could use ends with its tokens.
func TestSilentLoginIsConfirmedByTheBrowserThatHasTheSession(t *testing.T) {
	g := newRig(t, "")
	b := g.browser()
	page := b.get(b.beginSilently(), "X-CSRF", "", "Sec-Fetch-Mode", "navigate", "Sec-Fetch-Dest", "iframe", "Sec-Fetch-Site", "cross-site")
	if g.browser().silentResult(page) {
		t.Error("a browser without the cookie is said to be logged in")
	}
	b.get("/bff/user").want(t, http.StatusUnauthorized, "")
	eventually(t, "its tokens to be revoked", func() bool { return len(g.op.LiveRefreshTokens()) == 0 })
	sealed := html.UnescapeString(confirmation.FindStringSubmatch(page.body)[2])
	for _, wrong := range []string{"", "N" + sealed[1:], sealed[:len(sealed)/2] + "\n" + sealed[len(sealed)/2:]} {
		b.do(http.MethodPost, "/bff/silent-login", strings.NewReader(url.Values{"confirm": {wrong}}.Encode()),
			"Content-Type", "application/x-www-form-urlencoded").want(t, http.StatusBadRequest, "bad_request")
	}
	b.do(http.MethodPost, "/bff/silent-login", strings.NewReader("confirm=x"), "X-CSRF", "",
		"Content-Type", "application/x-www-form-urlencoded").want(t, http.StatusForbidden, "csrf")
}

// Two silent logins at once, as of two tabs: the session goes on under the ticket of the later one, and to both tabs
// somebody is logged in.
func TestSilentLoginsAtOnceAreBothConfirmed(t *testing.T) {
	g := newRig(t, "")
	b := g.browser()
	b.login()
	var pages []*reply
	for _, callback := range []string{b.beginSilently(), b.beginSilently()} {
		pages = append(pages, b.get(callback, "X-CSRF", "", "Sec-Fetch-Mode", "navigate", "Sec-Fetch-Dest", "iframe", "Sec-Fetch-Site", "cross-site"))
	}
	for i, page := range pages {
		if !b.silentResult(page) {
			t.Errorf("tab %d is told that nobody is logged in", i+1)
		}
	}
	b.get("/bff/user").want(t, http.StatusOK, "")
}

// postBack brings a form_post from the provider's site.
func (b *browser) postBack(callback, dest string) *reply {
	b.t.Helper()
	path, parameters, _ := strings.Cut(callback, "?")
	return b.do(http.MethodPost, path, strings.NewReader(parameters), "X-CSRF", "", "Content-Type", "application/x-www-form-urlencoded",
		"Origin", b.g.op.Issuer(), "Sec-Fetch-Mode", "navigate", "Sec-Fetch-Dest", dest, "Sec-Fetch-Site", "cross-site")
}

// With form_post the attempt's cookie is SameSite=None, and comes where the session's may be dropped: the session that
// the browser has stays as it is, and is not lost.
func TestSilentLoginByFormPostKeepsTheSession(t *testing.T) {
	g := newStage(t)
	cfg := g.config(g.port, "sqlite:"+g.db, "")
	cfg.Providers[0].ResponseMode = "form_post"
	g.run(cfg)
	b := g.browser()
	b.postBack(g.callback(b.navigate("/bff/login")), "document").want(t, http.StatusSeeOther, "")
	old := b.cookie()
	page := b.postBack(b.beginSilently(), "iframe")
	if g.browser().silentResult(page) {
		t.Error("a browser without the cookie is said to be logged in")
	}
	if !b.silentResult(page) {
		t.Error("the browser that has the session is said to be logged out")
	}
	if b.cookie() != old {
		t.Error("the session goes on under a new ticket, which the browser may drop")
	}
	b.get("/api/x").want(t, http.StatusOK, "")
}

// A session that waits for a login takes the tokens that a silent one brings, also where it would keep its own: the
// provider wants to see the user, or there is no refresh token.
func TestSilentLoginByFormPostIsTheLoginThatASessionWaitsFor(t *testing.T) {
	for name, off := range map[string]bool{"refused": false, "not renewable": true} {
		t.Run(name, func(t *testing.T) {
			g := newStage(t)
			g.op.SetTokenLife(shortLife)
			cfg := g.config(g.port, "sqlite:"+g.db, "")
			cfg.Providers[0].ResponseMode, cfg.Providers[0].RefreshOff = "form_post", off
			if off {
				cfg.Providers[0].Scopes = []string{"openid", "profile", "email"}
			}
			g.run(cfg)
			b := g.browser()
			b.postBack(g.callback(b.navigate("/bff/login")), "document").want(t, http.StatusSeeOther, "")
			undo := g.op.Intercept(odd.Token, odd.OAuthError(http.StatusBadRequest, "interaction_required"))
			b.untilRefused()
			undo()
			g.op.SetTokenLife(time.Hour)
			if !b.silentResult(b.postBack(b.beginSilently(), "iframe")) {
				t.Error("nobody is said to be logged in")
			}
			b.get("/api/x").want(t, http.StatusOK, "")
		})
	}
}
