package handlers_test

import (
	"database/sql"
	"encoding/json"
	"html"
	"net/http"
	"net/url"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/cloakroom/cloakroom/test/servers"
	"github.com/cloakroom/cloakroom/test/world"
)

// farewell logs out with fetch and returns the URL to continue at.
func farewell(b *world.Browser, query string) string {
	b.T.Helper()
	r := b.Do(http.MethodPost, "/bff/logout"+query, nil)
	var body struct{ Redirect string }
	err := json.Unmarshal([]byte(r.Text), &body)
	if err != nil || r.StatusCode != http.StatusOK || !strings.HasPrefix(body.Redirect, b.World.Origin+"/bff/") {
		b.T.Fatalf("logout = %d %s, want an address of this service", r.StatusCode, r.Text)
	}
	return body.Redirect
}

// idToken returns the last ID token that the provider issued.
func idToken(g *world.World, t *testing.T, endSession string) string {
	t.Helper()
	u, err := url.Parse(endSession)
	if err != nil || !strings.HasPrefix(endSession, g.OP.Issuer()) {
		t.Fatalf("it leads to %s, want the provider", endSession)
	}
	return u.Query().Get("id_token_hint")
}

// LO3: no script sees the ID token that the provider is shown. The token waits, sealed, in the
// store for one navigation, at any replica. A script, a frame or a prefetch does not get it, and
// does not use it up.
func TestLogoutByFetchShowsNoScriptTheIDToken(t *testing.T) {
	for name, store := range map[string]string{
		"SQLite": "", "memory": "memory:", "Redis": servers.Redis(t).URL(), "PostgreSQL": servers.Postgres(t, "fsync=off").URL(),
	} {
		t.Run(name, func(t *testing.T) {
			g := world.NewStage(t)
			there := g.Origin
			switch name {
			case "SQLite":
				store = "sqlite:" + g.DB
				fallthrough
			case "memory":
				g.Start(g.Port, store, "")
			default:
				key := "  keys: [" + world.NewKey() + "]"
				g.Start(g.Port, store, key)
				port := servers.FreePort(t)
				g.Start(port, store, key)
				there = world.Local(port)
			}
			b := g.Browser()
			b.Login()
			next := farewell(b, "?returnUrl=/bye?a=b")
			b.Get("/bff/user").Want(t, http.StatusUnauthorized, "not_authenticated")
			path := strings.TrimPrefix(next, g.Origin)
			for _, header := range [][]string{
				{"X-CSRF", "", "Sec-Fetch-Mode", "cors", "Sec-Fetch-Dest", "empty", "Sec-Fetch-Site", "same-origin"},
				{"X-CSRF", "", "Sec-Fetch-Mode", "no-cors", "Sec-Fetch-Dest", "image", "Sec-Fetch-Site", "same-origin"},
				{"X-CSRF", "", "Sec-Fetch-Mode", "navigate", "Sec-Fetch-Dest", "iframe", "Sec-Fetch-Site", "same-origin"},
				{"X-CSRF", "", "Sec-Fetch-Mode", "navigate", "Sec-Fetch-Dest", "document", "Sec-Purpose", "prefetch;prerender"},
				{"X-CSRF", "1"},
				{"X-CSRF", "", "X-Requested-With", "XMLHttpRequest"},
			} {
				r := b.Get(there+path, header...)
				r.Want(t, http.StatusBadRequest, "")
				if !strings.Contains(r.Text, "navigation_required") || r.Header.Get("Location") != "" {
					t.Errorf("with %v: %s", header, r.Text)
				}
			}
			b.Do(http.MethodHead, there+path, nil).Want(t, http.StatusMethodNotAllowed, "")
			r := b.Navigate(there + path)
			if r.StatusCode != http.StatusFound || r.Header.Get("Referrer-Policy") != "no-referrer" ||
				r.Header.Get("Cache-Control") != "no-store" {
				t.Errorf("the navigation = %d %v", r.StatusCode, r.Header)
			}
			hint := idToken(g, t, r.Header.Get("Location"))
			if hint == "" || strings.Contains(next, hint) {
				t.Errorf("the provider is shown %q, want the ID token", hint)
			}
			if name == "SQLite" {
				wantNotStored(g, hint)
			}
			back, _ := url.Parse(r.Header.Get("Location"))
			done := b.Navigate("/bff/logout/callback/main?state=" + url.QueryEscape(back.Query().Get("state")))
			if done.Header.Get("Location") != "/bye?a=b" {
				t.Errorf("the logout ends at %q", done.Header.Get("Location"))
			}
			again := b.Navigate(g.Origin + path)
			if again.StatusCode != http.StatusOK || !strings.Contains(again.Text, "You are logged out") ||
				!strings.Contains(again.Text, `href="/bye?a=b"`) {
				t.Errorf("the second time = %d %s", again.StatusCode, again.Text)
			}
			b.Login()
			if again = b.Navigate(path); again.StatusCode != http.StatusFound || again.Header.Get("Location") != "/bye?a=b" {
				t.Errorf("the second time, logged in = %d to %q, want the app", again.StatusCode, again.Header.Get("Location"))
			}
		})
	}
}

// wantNotStored checks that no file of the store contains a text.
func wantNotStored(g *world.World, text string) {
	g.T.Helper()
	for _, suffix := range []string{"", "-wal"} {
		if b, err := os.ReadFile(g.DB + suffix); err == nil && strings.Contains(string(b), text) {
			g.T.Errorf("%s shows it", suffix)
		}
	}
}

// A URL that was made up, altered or used before shows that the user is logged out here, and leads
// nowhere else.
func TestLogoutThatIsNotKnownEndsOnOurPage(t *testing.T) {
	g := world.New(t, "")
	b := g.Browser()
	b.Login()
	next := strings.TrimPrefix(farewell(b, ""), g.Origin)
	for _, query := range []string{
		"", "?handle=", "?handle=" + strings.Repeat("A", 43), "?handle=x&handle=y",
		next[strings.Index(next, "?"):] + "A",
	} {
		r := b.Navigate("/bff/logout/continue" + query)
		if r.StatusCode != http.StatusOK || !strings.Contains(r.Text, "You are logged out") || !strings.Contains(r.Text, `href="/"`) {
			t.Errorf("%q = %d %s", query, r.StatusCode, r.Text)
		}
	}
	if r := b.Navigate(next); r.StatusCode != http.StatusFound {
		t.Errorf("the right one after them = %d", r.StatusCode)
	}
}

// The longest return path fits into the URL, even if it has many ampersands.
func TestLogoutRemembersTheLongestReturnPath(t *testing.T) {
	g := world.New(t, "")
	b := g.Browser()
	b.Login()
	back := "/bye?" + strings.Repeat("a&", 895)
	next := farewell(b, "?returnUrl="+url.QueryEscape(back))
	r := b.Navigate(next)
	if idToken(g, t, r.Header.Get("Location")) == "" {
		t.Errorf("navigation = %d, want the provider", r.StatusCode)
	}
	if again := b.Navigate(next); !strings.Contains(html.UnescapeString(again.Text), `href="`+back+`"`) {
		t.Errorf("the second time it does not lead back: %d", again.StatusCode)
	}
}

// Of two navigations at once, at two replicas, one gets the hint.
func TestLogoutGoesOnOnce(t *testing.T) {
	p := world.NewDuo(t, servers.Redis(t).URL(), "")
	for range 5 {
		b := p.Browser()
		b.Login()
		path := strings.TrimPrefix(farewell(b, ""), p.Origin)
		var all sync.WaitGroup
		var on atomic.Int32
		for i := range 8 {
			all.Go(func() {
				if r := p.Browser().Navigate([]string{p.Origin, p.Other}[i%2] + path); r.StatusCode == http.StatusFound {
					on.Add(1)
				}
			})
		}
		all.Wait()
		if on.Load() != 1 {
			t.Errorf("%d of 8 navigations went on to the provider, want 1", on.Load())
		}
	}
}

// Many concurrent logouts of one session leave one entry in the store. All of them are sent on to
// the provider.
func TestOnlyTheLogoutThatEndedTheSessionFillsTheStore(t *testing.T) {
	g := world.New(t, "")
	b := g.Browser()
	b.Login()
	var all sync.WaitGroup
	for range 20 {
		all.Go(func() {
			r := b.Do(http.MethodPost, "/bff/logout", nil)
			if r.StatusCode != http.StatusOK && r.StatusCode != http.StatusNoContent {
				t.Errorf("logout = %d %s", r.StatusCode, r.Text)
			}
		})
	}
	all.Wait()
	var kept int
	if err := sqlite(g).QueryRow("SELECT count(*) FROM leases WHERE key LIKE 'kept %'").Scan(&kept); err != nil || kept != 1 {
		t.Errorf("kept in the store = %d %v, want 1", kept, err)
	}
}

// The store fails just then: the user is logged out, and the browser visits the provider without
// the hint.
func TestLogoutWithoutTheStoreGoesOnWithoutAHint(t *testing.T) {
	g := world.New(t, "")
	b := g.Browser()
	b.Login()
	if _, err := sqlite(g).Exec("ALTER TABLE leases RENAME TO gone"); err != nil {
		t.Fatal(err)
	}
	next := farewell(b, "?returnUrl=/bye")
	b.Get("/bff/user").Want(t, http.StatusUnauthorized, "not_authenticated")
	r := b.Navigate(next)
	if hint := idToken(g, t, r.Header.Get("Location")); r.StatusCode != http.StatusFound || hint != "" {
		t.Errorf("navigation = %d with hint %q, want the provider without one", r.StatusCode, hint)
	}
}

// sqlite opens the file of the store, as another program would.
func sqlite(g *world.World) *sql.DB {
	db, err := sql.Open("sqlite", g.DB)
	if err != nil {
		g.T.Fatal(err)
	}
	g.T.Cleanup(func() { _ = db.Close() })
	return db
}
