package server_test

import (
	"fmt"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/cloakroom/cloakroom/test/servers"
)

// bounce logs in as often as it takes, with what happens between two logins, and wants the page that names the cause.
func (b *browser) bounce(times int, between func(), cause, words string) *reply {
	b.t.Helper()
	for range times {
		b.login()
		if between != nil {
			between()
		}
	}
	page := b.navigate("/bff/login?returnUrl=/after")
	if page.StatusCode != http.StatusBadRequest || !strings.Contains(page.body, "<code>"+cause+"</code>") || !strings.Contains(page.body, words) {
		b.t.Errorf("one login more = %d to %q, want a page that names %s:\n%s", page.StatusCode, page.Header.Get("Location"), cause, page.body)
	}
	return page
}

// forgetCookie has the browser lose one, as if it had never kept it.
func (b *browser) forgetCookie(name string) {
	u, err := url.Parse(b.g.origin)
	if err != nil {
		b.t.Fatal(err)
	}
	kept := b.client.Jar.Cookies(u)
	jar, err := cookiejar.New(nil)
	if err != nil {
		b.t.Fatal(err)
	}
	for _, c := range kept {
		if c.Name != name {
			jar.SetCookies(u, []*http.Cookie{{Name: c.Name, Value: c.Value, Path: "/"}})
		}
	}
	b.client.Jar = jar
}

// cookieCount is how many cookies the browser has.
func (b *browser) cookieCount() int {
	u, err := url.Parse(b.g.origin)
	if err != nil {
		b.t.Fatal(err)
	}
	return len(b.client.Jar.Cookies(u))
}

// A browser that bounces between login and app gets one page that names why, and not another redirect; from that page
// it can try again.
func TestLoginThatGoesRoundExplainsItself(t *testing.T) {
	t.Run("the session cookie is lost", func(t *testing.T) {
		g := newRig(t, "")
		b := g.browser()
		b.t = t
		page := b.bounce(3, func() { b.forgetCookie("cloakroom") }, "cookie_lost", "other cookies")
		if strings.Contains(page.body, "http-equiv") {
			t.Error("the page goes on by itself")
		}
		again := b.navigate("/bff/login")
		again.want(t, http.StatusFound, "")
	})
	t.Run("the app does not accept the session", func(t *testing.T) {
		g := newRig(t, "")
		b := g.browser()
		b.t = t
		b.bounce(10, nil, "app", "You are logged in")
	})
	t.Run("the session is ended at once", func(t *testing.T) {
		g := newRig(t, "")
		b := g.browser()
		b.t = t
		b.bounce(10, func() {
			b.do(http.MethodDelete, g.admin+"/admin/sessions?subject=alice&provider=main", nil, "Authorization", "Bearer "+adminToken)
		}, "ended", "right after it began")
	})
	t.Run("the replicas share no store", func(t *testing.T) {
		g := newRig(t, "")
		b := g.browser()
		b.t = t
		b.login()
		b.login()
		b.login()
		key, err := os.ReadFile(g.db + ".key")
		if err != nil {
			t.Fatal(err)
		}
		port := servers.FreePort(t)
		other := filepath.Join(t.TempDir(), "other.db")
		write(t, other+".key", string(key))
		g.start(port, "sqlite:"+other, "")
		page := b.navigate(fmt.Sprintf("http://localhost:%d/bff/login", port))
		if !strings.Contains(page.body, "<code>unknown</code>") {
			t.Errorf("login at the other replica = %d:\n%s", page.StatusCode, page.body)
		}
	})
	t.Run("the replicas' clocks differ", func(t *testing.T) {
		g := newStage(t)
		g.now = func() time.Time { return time.Now().Add(30 * time.Second) }
		g.start(g.port, "sqlite:"+g.db, "")
		b := g.browser()
		b.t = t
		b.login()
		b.login()
		b.login()
		g.now = nil
		port := servers.FreePort(t)
		g.start(port, "sqlite:"+g.db, "")
		page := b.navigate(fmt.Sprintf("http://localhost:%d/bff/login", port))
		if !strings.Contains(page.body, "<code>clock</code>") {
			t.Errorf("login at the other replica = %d:\n%s", page.StatusCode, page.body)
		}
	})
	t.Run("another site leads here each time", func(t *testing.T) {
		g := newRig(t, "")
		b := g.browser()
		b.t = t
		for range 3 {
			b.login()
			b.forgetCookie("cloakroom")
		}
		page := b.get("/bff/login", "X-CSRF", "", "Accept", "text/html", "Sec-Fetch-Mode", "navigate", "Sec-Fetch-Dest", "document", "Sec-Fetch-Site", "cross-site")
		if !strings.Contains(page.body, "<code>same_site</code>") || !strings.Contains(page.body, g.origin) {
			t.Errorf("login = %d:\n%s", page.StatusCode, page.body)
		}
	})
	t.Run("who logs out and in again is not going round", func(t *testing.T) {
		g := newRig(t, "")
		b := g.browser()
		b.t = t
		for i := range 5 {
			b.login()
			b.login()
			if i%2 == 0 {
				b.do(http.MethodPost, "/bff/logout", nil).want(t, http.StatusOK, "")
			} else {
				b.do(http.MethodDelete, "/bff/sessions/"+idIn(t, b.get("/bff/sessions").body), nil).want(t, http.StatusNoContent, "")
			}
			if b.cookieCount() != 0 {
				t.Error("a cookie is left after a logout")
			}
		}
	})
	t.Run("who logs in now and then hears nothing of it", func(t *testing.T) {
		g := newRig(t, "")
		b := g.browser()
		b.t = t
		for range 5 {
			b.login()
			b.forgetCookie("cloakroom-logins")
		}
		forged := b.get("/bff/login", "Cookie", "cloakroom-logins"+"=WzEsMiwzXQ", "X-CSRF", "", "Sec-Fetch-Mode", "navigate", "Sec-Fetch-Dest", "document")
		forged.want(t, http.StatusFound, "")
		b.get("/api/x").want(t, http.StatusOK, "")
		if seen := g.api.requests(); strings.Contains(seen[len(seen)-1].Header.Get("Cookie"), "logins") {
			t.Error("the API sees the cookie")
		}
	})
}
