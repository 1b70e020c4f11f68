package handlers_test

import (
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"github.com/cloakroom/cloakroom/test/world"
)

// userAgents are the User-Agent fields of two browsers, and their names for people.
var userAgents = map[string]string{
	"Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) " +
		"Chrome/140.0.0.0 Safari/537.36": "Chrome, Linux",
	"Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) " +
		"Version/18.0 Mobile/15E148 Safari/604.1": "Safari, iPhone",
}

// loginWith is Login with a given User-Agent.
func loginWith(b *world.Browser, userAgent string) {
	b.T.Helper()
	begin := b.Navigate("/bff/login")
	back := b.World.OP.Login(begin.Header.Get("Location"))
	b.Get(back.RequestURI(), "User-Agent", userAgent, "X-CSRF", "", "Accept", "text/html").Want(b.T, http.StatusFound, "")
}

// A user who follows a link in an e-mail and is not logged in reaches the page with one login. A
// user who is logged in sees it at once, although their SameSite=Strict cookie was not sent: a
// login would have replaced their session.
func TestSessionsPageIsReachedFromOutside(t *testing.T) {
	g := world.New(t, "")
	b := g.Browser()
	const login = "/bff/login?returnUrl=%2Fbff%2Fsessions"
	page := b.Navigate("/bff/sessions?end=x")
	page.Want(t, http.StatusUnauthorized, "")
	if !strings.Contains(page.Text, `href="`+login+`"`) {
		t.Fatalf("the page does not lead to %s:\n%s", login, page.Text)
	}
	begin := b.Navigate(login)
	back := g.OP.Login(begin.Header.Get("Location"))
	if r := b.Get(back.RequestURI(), followed...); r.StatusCode != http.StatusFound || r.Header.Get("Location") != "/bff/sessions" {
		t.Fatalf("the login ends with %d at %q", r.StatusCode, r.Header.Get("Location"))
	}
	r := g.Browser().Get("/bff/sessions", followed...)
	if r.StatusCode != http.StatusOK || !strings.Contains(r.Text, `content="0; url=/bff/sessions"`) {
		t.Errorf("without the strict cookie = %d, want the way back to the page:\n%s", r.StatusCode, r.Text)
	}
	b.Navigate("/bff/sessions").Want(t, http.StatusOK, "")
	submit(b, url.Values{"id": {"x"}, "token": {"y"}}).Want(t, http.StatusForbidden, "")
	if r := submit(g.Browser(), url.Values{}); r.StatusCode != http.StatusUnauthorized || !strings.Contains(r.Text, `href="`+login+`"`) {
		t.Errorf("the form of a session that ended = %d:\n%s", r.StatusCode, r.Text)
	}
	world.New(t, "  cookie: {same_site: lax}").Browser().Get("/bff/sessions", followed...).Want(t, http.StatusUnauthorized, "")
}

func submit(b *world.Browser, fields url.Values, header ...string) *world.Reply {
	b.T.Helper()
	return b.Do(http.MethodPost, "/bff/sessions", strings.NewReader(fields.Encode()), append([]string{
		"Content-Type", "application/x-www-form-urlencoded", "X-CSRF", "", "Accept", "text/html",
		"Sec-Fetch-Mode", "navigate", "Sec-Fetch-Dest", "document",
		"Sec-Fetch-Site", "same-origin", "Origin", b.World.Origin,
	}, header...)...)
}

var hidden = regexp.MustCompile(`name="(token|id)" value="([^"]*)"`)

// A user sees in plain words where they are logged in, and ends a session after a confirmation.
func TestPersonEndsASessionOnThePage(t *testing.T) {
	g := world.New(t, "")
	var browsers []*world.Browser
	for agent := range userAgents {
		b := g.Browser()
		loginWith(b, agent)
		browsers = append(browsers, b)
	}
	b, other := browsers[0], browsers[1]
	page := b.Navigate("/bff/sessions")
	page.Want(t, http.StatusOK, "")
	for agent, device := range userAgents {
		if !strings.Contains(page.Text, device) || strings.Contains(page.Text, agent) {
			t.Errorf("the page does not say %q, or shows the User-Agent", device)
		}
	}
	if strings.Count(page.Text, "<em>this browser</em>") != 1 || strings.Count(page.Text, "127.0.0.0") != 2 {
		t.Errorf("the page marks not the one session that is this one, or shows no short addresses:\n%s", page.Text)
	}
	ends := regexp.MustCompile(`\?end=([A-Z2-7]+)`).FindAllStringSubmatch(page.Text, -1)
	if len(ends) != 2 {
		t.Fatalf("links to end a session = %v, want 2", ends)
	}
	var fields url.Values
	for _, e := range ends { // the one that is not this one
		ask := b.Navigate("/bff/sessions?end=" + e[1])
		if strings.Contains(ask.Text, "this browser") {
			continue
		}
		fields = url.Values{}
		for _, f := range hidden.FindAllStringSubmatch(ask.Text, -1) {
			fields.Set(f[1], f[2])
		}
	}
	other.Get("/api/x").Want(t, http.StatusOK, "") // asking ends nothing

	for name, refused := range map[string]*world.Reply{
		"another site":     submit(b, fields, "Sec-Fetch-Site", "cross-site"),
		"another origin":   submit(b, fields, "Origin", "https://evil.example"),
		"a wrong token":    submit(b, url.Values{"id": fields["id"], "token": {"x"}}),
		"no token":         submit(b, url.Values{"id": fields["id"]}),
		"another's token":  submit(other, fields),
		"nobody logged in": submit(g.Browser(), fields),
	} {
		if refused.StatusCode < 400 {
			t.Errorf("%s = %d", name, refused.StatusCode)
		}
	}
	other.Get("/api/x").Want(t, http.StatusOK, "")

	if done := submit(b, fields); done.StatusCode != http.StatusSeeOther || done.Header.Get("Location") != "/bff/sessions" {
		t.Errorf("the form = %d to %q", done.StatusCode, done.Header.Get("Location"))
	}
	other.Get("/api/x").Want(t, http.StatusUnauthorized, "")
	b.Get("/api/x").Want(t, http.StatusOK, "")
	world.Eventually(t, "its tokens to be revoked", func() bool { return len(g.OP.LiveRefreshTokens()) == 1 })

	third := g.Browser()
	third.Login()
	for _, f := range hidden.FindAllStringSubmatch(b.Navigate("/bff/sessions?end=others").Text, -1) {
		fields.Set(f[1], f[2])
	}
	submit(b, fields).Want(t, http.StatusSeeOther, "")
	third.Get("/api/x").Want(t, http.StatusUnauthorized, "")
	b.Get("/api/x").Want(t, http.StatusOK, "")
	if again := b.Navigate("/bff/sessions").Text; strings.Contains(again, "End all others") {
		t.Error("with one session alone, all others can be ended")
	}
	own := regexp.MustCompile(`\?end=([A-Z2-7]+)`).FindStringSubmatch(b.Navigate("/bff/sessions").Text)
	fields.Set("id", own[1])
	if done := submit(b, fields); done.Header.Get("Location") != "/" {
		t.Errorf("ending the current one leads to %q", done.Header.Get("Location"))
	}
	b.Navigate("/bff/sessions").Want(t, http.StatusUnauthorized, "")
}
