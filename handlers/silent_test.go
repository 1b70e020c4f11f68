package handlers_test

import (
	"html"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/cloakroom/cloakroom/test/providers/odd"
	"github.com/cloakroom/cloakroom/test/world"
)

// A silent login of a user who is logged in does not log them out: the same session goes on, with
// the same end.
func TestSilentLoginGoesOnWithTheSameSession(t *testing.T) {
	g := world.New(t, "")
	b := g.Browser()
	b.Login()
	rows, before, old := b.Get("/bff/sessions").Text, b.Get("/bff/session").Text, b.Cookie()
	events := b.Stream(g.Origin + "/bff/events")
	world.Next(t, events, time.Second)
	world.Next(t, events, time.Second)
	g.ServeStreams()
	socket := b.WebSocket(g.Origin, "/api/echo")

	if !b.SilentLogin() {
		t.Error("nobody is said to be logged in")
	}
	if line, _ := world.Next(t, events, time.Second); line != "retry: 500" {
		t.Errorf("listeners hear %q, want to come back in a moment", line)
	}
	world.WantClosed(t, socket, 1012, "session_continued", time.Second)
	if b.Cookie() == old {
		t.Error("the ticket is the old one")
	}
	if after := b.Get("/bff/sessions").Text; idIn(t, after) != idIn(t, rows) {
		t.Errorf("sessions were %s and are %s, want the same one", rows, after)
	}
	after := b.Get("/bff/session").Text
	for _, name := range []string{"created_at", "expires_at"} {
		if field(t, after, name) != field(t, before, name) {
			t.Errorf("session was %s and is %s, want the same life", before, after)
		}
	}
}

// Nobody sees a hidden frame, so it must not replace the session by that of another user.
func TestSilentLoginOfAnotherUserChangesNothing(t *testing.T) {
	g := world.New(t, "")
	b := g.Browser()
	b.Login()
	old := b.Cookie()
	g.OP.SetUser(odd.Claims{"sub": "mallory"})
	if b.SilentLogin() {
		t.Error("somebody is said to be logged in")
	}
	if who := field(t, b.Get("/bff/session").Text, "subject"); who != "alice" || b.Cookie() != old {
		t.Errorf("the session is %s's, want alice's, as it was", who)
	}
	world.Eventually(t, "the tokens of the other user to be revoked", func() bool { return g.OP.Count(odd.Revocation) > 0 })
	b.Get("/api/x").Want(t, http.StatusOK, "")
}

// A user who logs out while a frame is at the provider stays logged out.
func TestSilentLoginUndoesNoLogout(t *testing.T) {
	g := world.New(t, "")
	b := g.Browser()
	b.Login()
	frame := []string{"X-CSRF", "", "Sec-Fetch-Mode", "navigate", "Sec-Fetch-Dest", "iframe"}
	begin := b.Get("/bff/silent-login", append(frame, "Sec-Fetch-Site", "same-origin")...)
	b.Do(http.MethodPost, "/bff/logout", nil).Want(t, http.StatusOK, "")
	back := b.Get(g.OP.Login(begin.Header.Get("Location")).RequestURI(), append(frame, "Sec-Fetch-Site", "cross-site")...)
	if b.SilentResult(back) {
		t.Error("somebody is said to be logged in")
	}
	b.Get("/bff/user").Want(t, http.StatusUnauthorized, "")
	if !b.SilentLogin() {
		t.Error("a silent login after the logout is refused")
	}
}

func TestSilentLoginOfNobodyStartsASession(t *testing.T) {
	g := world.New(t, "")
	b := g.Browser()
	if !b.SilentLogin() {
		t.Error("nobody is said to be logged in")
	}
	b.Get("/api/x").Want(t, http.StatusOK, "")
}

// beginSilently begins a silent login and returns the URL that the provider redirects the frame to.
func beginSilently(b *world.Browser) (callback string) {
	b.T.Helper()
	begin := b.Get("/bff/silent-login", "X-CSRF", "",
		"Sec-Fetch-Mode", "navigate", "Sec-Fetch-Dest", "iframe", "Sec-Fetch-Site", "same-origin")
	if begin.StatusCode != http.StatusFound {
		b.T.Fatalf("silent login = %d %s", begin.StatusCode, begin.Text)
	}
	return callbackOf(b.World, begin)
}

// callbackOf returns the URL that the provider redirects to, for a login that began with this
// answer. It has the parameters of a form_post in its query, too.
func callbackOf(g *world.World, begin *world.Reply) string {
	return g.OP.Login(strings.Replace(begin.Header.Get("Location"), "response_mode=form_post", "response_mode=query", 1)).RequestURI()
}

// Tracking prevention removes cookies from a frame that another site has redirected here. The
// answer then says at once that nobody is logged in, and no code is sent. A window gets the page
// that explains it.
func TestSilentLoginWhoseCookieStaysAwayAnswersAtOnce(t *testing.T) {
	g := world.New(t, "")
	b := g.Browser()
	callback, stranger := beginSilently(b), g.Browser() // who has no cookies is as good as who does not send them
	for _, dest := range []string{"iframe", "frame"} {
		page := stranger.Get(callback, "X-CSRF", "", "Sec-Fetch-Mode", "navigate", "Sec-Fetch-Dest", dest, "Sec-Fetch-Site", "cross-site")
		if b.SilentResult(page) {
			t.Errorf("in an %s somebody is said to be logged in", dest)
		}
	}
	if n := len(g.OP.Grants("authorization_code")); n != 0 {
		t.Errorf("codes sent to the provider = %d, want 0", n)
	}
	window := stranger.Get(callback, "X-CSRF", "",
		"Sec-Fetch-Mode", "navigate", "Sec-Fetch-Dest", "document", "Sec-Fetch-Site", "cross-site")
	if world.Confirmation.MatchString(window.Text) {
		t.Errorf("a window gets the page that speaks to its parent: %s", window.Text)
	}
}

// A browser that drops all cookies of the callback's answer has no session. The answer says so, and
// the session that nobody can use ends, with its tokens.
func TestSilentLoginIsConfirmedByTheBrowserThatHasTheSession(t *testing.T) {
	g := world.New(t, "")
	b := g.Browser()
	page := b.Get(beginSilently(b), "X-CSRF", "", "Sec-Fetch-Mode", "navigate", "Sec-Fetch-Dest", "iframe", "Sec-Fetch-Site", "cross-site")
	if g.Browser().SilentResult(page) {
		t.Error("a browser without the cookie is said to be logged in")
	}
	b.Get("/bff/user").Want(t, http.StatusUnauthorized, "")
	world.Eventually(t, "its tokens to be revoked", func() bool { return len(g.OP.LiveRefreshTokens()) == 0 })
	sealed := html.UnescapeString(world.Confirmation.FindStringSubmatch(page.Text)[2])
	for _, wrong := range []string{"", "N" + sealed[1:], sealed[:len(sealed)/2] + "\n" + sealed[len(sealed)/2:]} {
		b.Do(http.MethodPost, "/bff/silent-login", strings.NewReader(url.Values{"confirm": {wrong}}.Encode()),
			"Content-Type", "application/x-www-form-urlencoded").Want(t, http.StatusBadRequest, "bad_request")
	}
	b.Do(http.MethodPost, "/bff/silent-login", strings.NewReader("confirm=x"), "X-CSRF", "",
		"Content-Type", "application/x-www-form-urlencoded").Want(t, http.StatusForbidden, "csrf")
}

// Two silent logins run at once, as in two tabs. The session continues under the ticket of the
// later one, and both tabs are told that a user is logged in.
func TestSilentLoginsAtOnceAreBothConfirmed(t *testing.T) {
	g := world.New(t, "")
	b := g.Browser()
	b.Login()
	var pages []*world.Reply
	for _, callback := range []string{beginSilently(b), beginSilently(b)} {
		pages = append(pages, b.Get(callback, "X-CSRF", "",
			"Sec-Fetch-Mode", "navigate", "Sec-Fetch-Dest", "iframe", "Sec-Fetch-Site", "cross-site"))
	}
	for i, page := range pages {
		if !b.SilentResult(page) {
			t.Errorf("tab %d is told that nobody is logged in", i+1)
		}
	}
	b.Get("/bff/user").Want(t, http.StatusOK, "")
}

// postBack sends a form_post from the provider's site.
func postBack(b *world.Browser, callback, dest string) *world.Reply {
	b.T.Helper()
	path, parameters, _ := strings.Cut(callback, "?")
	return b.Do(http.MethodPost, path, strings.NewReader(parameters), "X-CSRF", "", "Content-Type", "application/x-www-form-urlencoded",
		"Origin", b.World.OP.Issuer(), "Sec-Fetch-Mode", "navigate", "Sec-Fetch-Dest", dest, "Sec-Fetch-Site", "cross-site")
}

// With form_post the attempt's cookie is SameSite=None, and is sent where the session cookie may
// not be. The session that the browser has is unchanged and is not lost.
func TestSilentLoginByFormPostKeepsTheSession(t *testing.T) {
	g := world.NewStage(t)
	cfg := g.Config(g.Port, "sqlite:"+g.DB, "")
	cfg.Providers[0].ResponseMode = "form_post"
	g.Run(cfg)
	b := g.Browser()
	postBack(b, callbackOf(g, b.Navigate("/bff/login")), "document").Want(t, http.StatusSeeOther, "")
	old := b.Cookie()
	page := postBack(b, beginSilently(b), "iframe")
	if g.Browser().SilentResult(page) {
		t.Error("a browser without the cookie is said to be logged in")
	}
	if !b.SilentResult(page) {
		t.Error("the browser that has the session is said to be logged out")
	}
	if b.Cookie() != old {
		t.Error("the session goes on under a new ticket, which the browser may drop")
	}
	b.Get("/api/x").Want(t, http.StatusOK, "")
}

// A session that needs a login takes the tokens of a silent login, even where it would otherwise
// keep its own: the provider wanted to see the user, or there is no refresh token.
func TestSilentLoginByFormPostIsTheLoginThatASessionWaitsFor(t *testing.T) {
	for name, off := range map[string]bool{"refused": false, "not renewable": true} {
		t.Run(name, func(t *testing.T) {
			g := world.NewStage(t)
			g.OP.SetTokenLife(world.ShortLife)
			cfg := g.Config(g.Port, "sqlite:"+g.DB, "")
			cfg.Providers[0].ResponseMode, cfg.Providers[0].RefreshOff = "form_post", off
			if off {
				cfg.Providers[0].Scopes = []string{"openid", "profile", "email"}
			}
			g.Run(cfg)
			b := g.Browser()
			postBack(b, callbackOf(g, b.Navigate("/bff/login")), "document").Want(t, http.StatusSeeOther, "")
			undo := g.OP.Intercept(odd.Token, odd.OAuthError(http.StatusBadRequest, "interaction_required"))
			b.UntilRefused()
			undo()
			g.OP.SetTokenLife(time.Hour)
			if !b.SilentResult(postBack(b, beginSilently(b), "iframe")) {
				t.Error("nobody is said to be logged in")
			}
			b.Get("/api/x").Want(t, http.StatusOK, "")
		})
	}
}
