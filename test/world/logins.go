package world

import (
	"html"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"regexp"
	"strings"
	"time"

	"github.com/cloakroom/cloakroom/test/providers/odd"
)

// Backchannel posts a logout token as the provider does (OIDC Back-Channel Logout 1.0 §2.5).
func (b *Browser) Backchannel(token string) *Reply {
	b.T.Helper()
	return b.Do(http.MethodPost, "/bff/backchannel/main", strings.NewReader(url.Values{"logout_token": {token}, "ignored": {"x"}}.Encode()),
		"Content-Type", "application/x-www-form-urlencoded", "X-CSRF", "")
}

// BySub returns a change to claims that sets sub.
func BySub(sub string) func(_, claims odd.Claims) {
	return func(_, claims odd.Claims) { claims["sub"] = sub }
}

// ForgetCookie removes a cookie from the browser.
func (b *Browser) ForgetCookie(name string) {
	u, err := url.Parse(b.World.Origin)
	if err != nil {
		b.T.Fatal(err)
	}
	kept := b.Client.Jar.Cookies(u)
	jar, err := cookiejar.New(nil)
	if err != nil {
		b.T.Fatal(err)
	}
	for _, c := range kept {
		if c.Name != name {
			jar.SetCookies(u, []*http.Cookie{{Name: c.Name, Value: c.Value, Path: "/"}})
		}
	}
	b.Client.Jar = jar
}

// ShortLife is the lifetime of a token in these tests: it is renewed in the background from about
// 2.2 s on, and before a request is served from 2.7 s on.
const ShortLife = 3 * time.Second

// UntilRefused calls the API until it answers 401, and fails the test if an earlier answer is not a
// success.
func (b *Browser) UntilRefused() *Reply {
	b.T.Helper()
	var answer *Reply
	Eventually(b.T, "calls to be refused", func() bool {
		answer = b.Get("/api/x", "Referer", b.World.Origin+"/page?a=b")
		return answer.StatusCode != http.StatusOK
	})
	answer.Want(b.T, http.StatusUnauthorized, "reauthentication_required")
	return answer
}

// SilentLogin makes a login in a hidden frame, and returns what the parent window is told.
func (b *Browser) SilentLogin() (isLoggedIn bool) {
	b.T.Helper()
	frame := func(path, site string) *Reply {
		return b.Get(path, "X-CSRF", "", "Sec-Fetch-Mode", "navigate", "Sec-Fetch-Dest", "iframe", "Sec-Fetch-Site", site)
	}
	begin := frame("/bff/silent-login", "same-origin")
	if begin.StatusCode != http.StatusFound {
		b.T.Fatalf("silent login = %d %s", begin.StatusCode, begin.Text)
	}
	return b.SilentResult(frame(b.World.OP.Login(begin.Header.Get("Location")).RequestURI(), "cross-site"))
}

// Confirmation matches what the last page of a silent login posts, and where to.
var Confirmation = regexp.MustCompile(`data-confirm-url="([^"]*)" data-confirm="([^"]*)"`)

// SilentResult does what the script on the last page of a silent login does, and returns what it
// tells the parent window.
func (b *Browser) SilentResult(page *Reply) (isLoggedIn bool) {
	b.T.Helper()
	found := Confirmation.FindStringSubmatch(page.Text)
	if page.StatusCode != http.StatusOK || found == nil {
		b.T.Fatalf("callback of a silent login = %d %s", page.StatusCode, page.Text)
	}
	if found[1] == "" {
		return false
	}
	answer := b.Do(http.MethodPost, found[1], strings.NewReader(url.Values{"confirm": {html.UnescapeString(found[2])}}.Encode()),
		"Content-Type", "application/x-www-form-urlencoded;charset=UTF-8")
	if answer.StatusCode != http.StatusOK {
		b.T.Fatalf("confirmation of a silent login = %d %s", answer.StatusCode, answer.Text)
	}
	return answer.Text == `{"isLoggedIn":true}`+"\n"
}

// StepUp makes the login that a 401 named, and returns the callback's answer.
func (b *Browser) StepUp(loginURL string) *Reply {
	b.T.Helper()
	begin := b.Navigate(loginURL)
	if begin.StatusCode != http.StatusFound {
		b.T.Fatalf("step-up = %d %s", begin.StatusCode, begin.Text)
	}
	return b.Navigate(b.World.OP.Login(begin.Header.Get("Location")).RequestURI())
}
