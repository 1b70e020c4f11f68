package server_test

import (
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"
)

// userAgents are those of two browsers, and what a person calls them.
var userAgents = map[string]string{
	"Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36":                                   "Chrome, Linux",
	"Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.0 Mobile/15E148 Safari/604.1": "Safari, iPhone",
}

// loginWith is login in a browser of some kind.
func (b *browser) loginWith(userAgent string) {
	b.t.Helper()
	begin := b.navigate("/bff/login")
	back := b.g.op.Login(begin.Header.Get("Location"))
	b.get(back.RequestURI(), "User-Agent", userAgent, "X-CSRF", "", "Accept", "text/html").want(b.t, http.StatusFound, "")
}

// Who comes from an e-mail, and is not logged in here, gets to the page by one login. Who is, and comes from another
// site, sees it at once: their strict cookie stayed behind, and a login would have replaced their session.
func TestSessionsPageIsReachedFromOutside(t *testing.T) {
	g := newRig(t, "")
	b := g.browser()
	const login = "/bff/login?returnUrl=%2Fbff%2Fsessions"
	page := b.navigate("/bff/sessions?end=x")
	page.want(t, http.StatusUnauthorized, "")
	if !strings.Contains(page.body, `href="`+login+`"`) {
		t.Fatalf("the page does not lead to %s:\n%s", login, page.body)
	}
	begin := b.navigate(login)
	back := g.op.Login(begin.Header.Get("Location"))
	if r := b.get(back.RequestURI(), followed...); r.StatusCode != http.StatusFound || r.Header.Get("Location") != "/bff/sessions" {
		t.Fatalf("the login ends with %d at %q", r.StatusCode, r.Header.Get("Location"))
	}
	if r := g.browser().get("/bff/sessions", followed...); r.StatusCode != http.StatusOK || !strings.Contains(r.body, `content="0; url=/bff/sessions"`) {
		t.Errorf("without the strict cookie = %d, want the way back to the page:\n%s", r.StatusCode, r.body)
	}
	b.navigate("/bff/sessions").want(t, http.StatusOK, "")
	b.submit(url.Values{"id": {"x"}, "token": {"y"}}).want(t, http.StatusForbidden, "")
	if r := g.browser().submit(url.Values{}); r.StatusCode != http.StatusUnauthorized || !strings.Contains(r.body, `href="`+login+`"`) {
		t.Errorf("the form of a session that ended = %d:\n%s", r.StatusCode, r.body)
	}
	newRig(t, "  cookie: {same_site: lax}").browser().get("/bff/sessions", followed...).want(t, http.StatusUnauthorized, "")
}

func (b *browser) submit(fields url.Values, header ...string) *reply {
	b.t.Helper()
	return b.do(http.MethodPost, "/bff/sessions", strings.NewReader(fields.Encode()), append([]string{
		"Content-Type", "application/x-www-form-urlencoded", "X-CSRF", "", "Accept", "text/html", "Sec-Fetch-Mode", "navigate", "Sec-Fetch-Dest", "document",
		"Sec-Fetch-Site", "same-origin", "Origin", b.g.origin,
	}, header...)...)
}

var hidden = regexp.MustCompile(`name="(token|id)" value="([^"]*)"`)

// A person sees where they are logged in, in words they know, and ends one after being asked.
func TestPersonEndsASessionOnThePage(t *testing.T) {
	g := newRig(t, "")
	var browsers []*browser
	for agent := range userAgents {
		b := g.browser()
		b.loginWith(agent)
		browsers = append(browsers, b)
	}
	b, other := browsers[0], browsers[1]
	page := b.navigate("/bff/sessions")
	page.want(t, http.StatusOK, "")
	for agent, device := range userAgents {
		if !strings.Contains(page.body, device) || strings.Contains(page.body, agent) {
			t.Errorf("the page does not say %q, or shows the User-Agent", device)
		}
	}
	if strings.Count(page.body, "<em>this browser</em>") != 1 || strings.Count(page.body, "127.0.0.0") != 2 {
		t.Errorf("the page marks not the one session that is this one, or shows no short addresses:\n%s", page.body)
	}
	ends := regexp.MustCompile(`\?end=([A-Z2-7]+)`).FindAllStringSubmatch(page.body, -1)
	if len(ends) != 2 {
		t.Fatalf("links to end a session = %v, want 2", ends)
	}
	var fields url.Values
	for _, e := range ends { // the one that is not this one
		ask := b.navigate("/bff/sessions?end=" + e[1])
		if strings.Contains(ask.body, "this browser") {
			continue
		}
		fields = url.Values{}
		for _, f := range hidden.FindAllStringSubmatch(ask.body, -1) {
			fields.Set(f[1], f[2])
		}
	}
	other.get("/api/x").want(t, http.StatusOK, "") // asking ends nothing

	for name, refused := range map[string]*reply{
		"another site":     b.submit(fields, "Sec-Fetch-Site", "cross-site"),
		"another origin":   b.submit(fields, "Origin", "https://evil.example"),
		"a wrong token":    b.submit(url.Values{"id": fields["id"], "token": {"x"}}),
		"no token":         b.submit(url.Values{"id": fields["id"]}),
		"another's token":  other.submit(fields),
		"nobody logged in": g.browser().submit(fields),
	} {
		if refused.StatusCode < 400 {
			t.Errorf("%s = %d", name, refused.StatusCode)
		}
	}
	other.get("/api/x").want(t, http.StatusOK, "")

	if done := b.submit(fields); done.StatusCode != http.StatusSeeOther || done.Header.Get("Location") != "/bff/sessions" {
		t.Errorf("the form = %d to %q", done.StatusCode, done.Header.Get("Location"))
	}
	other.get("/api/x").want(t, http.StatusUnauthorized, "")
	b.get("/api/x").want(t, http.StatusOK, "")
	eventually(t, "its tokens to be revoked", func() bool { return len(g.op.LiveRefreshTokens()) == 1 })

	third := g.browser()
	third.login()
	for _, f := range hidden.FindAllStringSubmatch(b.navigate("/bff/sessions?end=others").body, -1) {
		fields.Set(f[1], f[2])
	}
	b.submit(fields).want(t, http.StatusSeeOther, "")
	third.get("/api/x").want(t, http.StatusUnauthorized, "")
	b.get("/api/x").want(t, http.StatusOK, "")
	if again := b.navigate("/bff/sessions").body; strings.Contains(again, "End all others") {
		t.Error("with one session alone, all others can be ended")
	}
	own := regexp.MustCompile(`\?end=([A-Z2-7]+)`).FindStringSubmatch(b.navigate("/bff/sessions").body)
	fields.Set("id", own[1])
	if done := b.submit(fields); done.Header.Get("Location") != "/" {
		t.Errorf("ending the current one leads to %q", done.Header.Get("Location"))
	}
	b.navigate("/bff/sessions").want(t, http.StatusUnauthorized, "")
}
