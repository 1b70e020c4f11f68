package handlers_test

import (
	"fmt"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/cloakroom/cloakroom/test/servers"
	"github.com/cloakroom/cloakroom/test/world"
)

// bounce logs in again and again, calls between before each repetition, and checks that the page
// that ends the loop names the cause.
func bounce(b *world.Browser, times int, between func(), cause, words string) *world.Reply {
	b.T.Helper()
	for range times {
		b.Login()
		if between != nil {
			between()
		}
	}
	page := b.Navigate("/bff/login?returnUrl=/after")
	named := strings.Contains(page.Text, "<code>"+cause+"</code>") && strings.Contains(page.Text, words)
	if page.StatusCode != http.StatusBadRequest || !named {
		b.T.Errorf("one login more = %d to %q, want a page that names %s:\n%s",
			page.StatusCode, page.Header.Get("Location"), cause, page.Text)
	}
	return page
}

// cookieCount returns the number of cookies that the browser has.
func cookieCount(b *world.Browser) int {
	u, err := url.Parse(b.World.Origin)
	if err != nil {
		b.T.Fatal(err)
	}
	return len(b.Client.Jar.Cookies(u))
}

// A browser in a redirect loop between login and app gets a page that names the cause instead of
// another redirect. From that page the user can try again.
func TestLoginThatGoesRoundExplainsItself(t *testing.T) {
	t.Run("the session cookie is lost", func(t *testing.T) {
		g := world.New(t, "")
		b := g.Browser()
		b.T = t
		page := bounce(b, 3, func() { b.ForgetCookie("cloakroom") }, "cookie_lost", "other cookies")
		if strings.Contains(page.Text, "http-equiv") {
			t.Error("the page goes on by itself")
		}
		again := b.Navigate("/bff/login")
		again.Want(t, http.StatusFound, "")
	})
	t.Run("the app does not accept the session", func(t *testing.T) {
		g := world.New(t, "")
		b := g.Browser()
		b.T = t
		bounce(b, 10, nil, "app", "You are logged in")
	})
	t.Run("the session is ended at once", func(t *testing.T) {
		g := world.New(t, "")
		b := g.Browser()
		b.T = t
		bounce(b, 10, func() {
			b.Do(http.MethodDelete, g.Admin+"/admin/sessions?subject=alice&provider=main", nil, "Authorization", "Bearer "+world.AdminToken)
		}, "ended", "right after it began")
	})
	t.Run("the replicas share no store", func(t *testing.T) {
		g := world.New(t, "")
		b := g.Browser()
		b.T = t
		b.Login()
		b.Login()
		b.Login()
		key, err := os.ReadFile(g.DB + ".key")
		if err != nil {
			t.Fatal(err)
		}
		port := servers.FreePort(t)
		other := filepath.Join(t.TempDir(), "other.db")
		world.WriteFile(t, other+".key", string(key))
		g.Start(port, "sqlite:"+other, "")
		page := b.Navigate(fmt.Sprintf("http://localhost:%d/bff/login", port))
		if !strings.Contains(page.Text, "<code>unknown</code>") {
			t.Errorf("login at the other replica = %d:\n%s", page.StatusCode, page.Text)
		}
	})
	t.Run("the replicas' clocks differ", func(t *testing.T) {
		g := world.NewStage(t)
		g.Now = func() time.Time { return time.Now().Add(30 * time.Second) }
		g.Start(g.Port, "sqlite:"+g.DB, "")
		b := g.Browser()
		b.T = t
		b.Login()
		b.Login()
		b.Login()
		g.Now = nil
		port := servers.FreePort(t)
		g.Start(port, "sqlite:"+g.DB, "")
		page := b.Navigate(fmt.Sprintf("http://localhost:%d/bff/login", port))
		if !strings.Contains(page.Text, "<code>clock</code>") {
			t.Errorf("login at the other replica = %d:\n%s", page.StatusCode, page.Text)
		}
	})
	t.Run("another site leads here each time", func(t *testing.T) {
		g := world.New(t, "")
		b := g.Browser()
		b.T = t
		for range 3 {
			b.Login()
			b.ForgetCookie("cloakroom")
		}
		page := b.Get("/bff/login", "X-CSRF", "", "Accept", "text/html",
			"Sec-Fetch-Mode", "navigate", "Sec-Fetch-Dest", "document", "Sec-Fetch-Site", "cross-site")
		if !strings.Contains(page.Text, "<code>same_site</code>") || !strings.Contains(page.Text, g.Origin) {
			t.Errorf("login = %d:\n%s", page.StatusCode, page.Text)
		}
	})
	t.Run("who logs out and in again is not going round", func(t *testing.T) {
		g := world.New(t, "")
		b := g.Browser()
		b.T = t
		for i := range 5 {
			b.Login()
			b.Login()
			if i%2 == 0 {
				b.Do(http.MethodPost, "/bff/logout", nil).Want(t, http.StatusOK, "")
			} else {
				b.Do(http.MethodDelete, "/bff/sessions/"+idIn(t, b.Get("/bff/sessions").Text), nil).Want(t, http.StatusNoContent, "")
			}
			if cookieCount(b) != 0 {
				t.Error("a cookie is left after a logout")
			}
		}
	})
	t.Run("who logs in now and then hears nothing of it", func(t *testing.T) {
		g := world.New(t, "")
		b := g.Browser()
		b.T = t
		for range 5 {
			b.Login()
			b.ForgetCookie("cloakroom-logins")
		}
		forged := b.Get("/bff/login", "Cookie", "cloakroom-logins"+"=WzEsMiwzXQ", "X-CSRF", "",
			"Sec-Fetch-Mode", "navigate", "Sec-Fetch-Dest", "document")
		forged.Want(t, http.StatusFound, "")
		b.Get("/api/x").Want(t, http.StatusOK, "")
		if seen := g.API.Requests(); strings.Contains(seen[len(seen)-1].Header.Get("Cookie"), "logins") {
			t.Error("the API sees the cookie")
		}
	})
}
