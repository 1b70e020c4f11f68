package server_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/cloakroom/cloakroom/test/providers/odd"
	"github.com/cloakroom/cloakroom/test/world"
)

// wantAddress checks that r is a page that names the cause and links to the public address, and
// that no login attempt has begun.
func wantAddress(r *world.Reply, t *testing.T, cause, login string) {
	t.Helper()
	named := strings.Contains(r.Text, "<code>"+cause+"</code>")
	linked := strings.Contains(r.Text, `href="`+login)
	if r.StatusCode != http.StatusBadRequest || !named || !linked || len(r.Cookies()) != 0 {
		t.Errorf("login = %d to %q %v, want a page that names %s and leads to %s:\n%s",
			r.StatusCode, r.Header.Get("Location"), r.Cookies(), cause, login, r.Text)
	}
}

// A callback at localhost does not get cookies of 127.0.0.1. A user who opened the app there is
// told so before the provider is visited in vain.
func TestLoginFromAnotherHostNameIsExplained(t *testing.T) {
	g := world.New(t, "")
	there := strings.Replace(g.Origin, "localhost", "127.0.0.1", 1)
	click := []string{
		"X-CSRF", "", "Accept", "text/html",
		"Sec-Fetch-Mode", "navigate", "Sec-Fetch-Dest", "document", "Sec-Fetch-Site", "same-origin",
	}
	r := g.Browser().Get(there+"/bff/login?returnUrl=/after", append(click, "Referer", there+"/")...)
	wantAddress(r, t, "other_host", g.Origin+"/bff/login?returnUrl=%2Fafter")

	for name, headers := range map[string][]string{
		"of the app itself, behind a proxy that puts its own name in place of the host": {"Referer", g.Origin + "/"},
		"of the app at another port, as a development server has":                       {"Referer", "http://localhost:5173/"},
		"that tells nothing":              nil,
		"that another site leads here by": {"Referer", "http://other.example/", "Sec-Fetch-Site", "cross-site"},
	} {
		if r := g.Browser().Get(there+"/bff/login", append(click, headers...)...); r.StatusCode != http.StatusFound {
			t.Errorf("a login %s = %d, want it to begin", name, r.StatusCode)
		}
	}
}

// If the address could not be checked at the start, the page of the callback names it: the cookie
// belongs to another host name.
func TestCallbackWithoutItsCookieNamesTheAddress(t *testing.T) {
	g := world.New(t, "")
	for _, cookies := range []string{"", "other=1"} {
		b := g.Browser()
		begin := b.Navigate(strings.Replace(g.Origin, "localhost", "127.0.0.1", 1) + "/bff/login")
		back := b.Get(g.OP.Login(begin.Header.Get("Location")).RequestURI(), "Accept", "text/html", "Cookie", cookies, "X-CSRF", "")
		named := strings.Contains(back.Text, "<code>"+g.Origin+"</code>") &&
			strings.Contains(back.Text, "127.0.0.1 instead of localhost")
		if back.StatusCode != http.StatusBadRequest || !named {
			t.Errorf("callback with cookies %q = %d, want the address:\n%s", cookies, back.StatusCode, back.Text)
		}
	}
}

// Browsers drop Secure cookies on http.
func TestLoginByPlainHTTPIsExplained(t *testing.T) {
	op := odd.New(t)
	f := newFront(t, op)
	r := f.get("/bff/login?provider=op0", "X-Forwarded-Proto", "http", "Accept", "text/html")
	wantAddress(r, t, "plain_http", "https://app.example.com/bff/login?provider=op0")
	for name, headers := range map[string][]string{
		"by https": {"X-Forwarded-Proto", "https"},
		"of a browser that only sends Fetch Metadata on https, whatever a proxy says": {
			"X-Forwarded-Proto", "http", "Sec-Fetch-Mode", "navigate", "Sec-Fetch-Dest", "document",
		},
	} {
		if r := f.get("/bff/login?provider=op0", headers...); r.StatusCode != http.StatusFound {
			t.Errorf("a login %s = %d, want it to begin", name, r.StatusCode)
		}
	}
}
