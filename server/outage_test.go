package server_test

import (
	"database/sql"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/cloakroom/cloakroom/test/world"

	_ "modernc.org/sqlite" // to break the store from outside
)

// breakStore hides the sessions from the service until the returned function restores them.
func breakStore(g *world.World) (mend func()) {
	g.T.Helper()
	rename := func(from, to string) {
		db, err := sql.Open("sqlite", "file:"+g.DB+"?_pragma=busy_timeout(2000)")
		if err != nil {
			g.T.Fatal(err)
		}
		defer db.Close()
		if _, err := db.ExecContext(g.T.Context(), "ALTER TABLE "+from+" RENAME TO "+to); err != nil {
			g.T.Fatal(err)
		}
	}
	rename("sessions", "sessions_away")
	return func() { rename("sessions_away", "sessions") }
}

// ST1, ST2: while the store can't be reached, answers are 503. They never say "logged out", never
// clear a cookie, and never report a logout that did not happen.
func TestStoreOutageKeepsCookie(t *testing.T) {
	g := world.New(t, "  max_staleness: 0s")
	b := g.Browser()
	b.Login()
	logout := b.Get("/bff/user").Text
	sid := logout[strings.Index(logout, "sid=")+4:][:22]
	before := b.Cookie()
	mend := breakStore(g)
	for _, r := range []*world.Reply{
		b.Get("/bff/user"), b.Get("/bff/session"), b.Get("/api/x"), b.Get("/bff/sessions"), b.Do(http.MethodPost, "/bff/logout", nil),
		b.Get("/bff/events"), b.Navigate("/bff/logout?sid=" + sid), g.Browser().Backchannel(g.OP.LogoutToken(world.BySub("alice"))),
		b.Get("/api/x", "Connection", "Upgrade", "Upgrade", "websocket", "Origin", g.Origin),
	} {
		if r.StatusCode != http.StatusServiceUnavailable || r.Header.Get("Retry-After") == "" || len(r.Header["Set-Cookie"]) > 0 {
			t.Errorf("%s %s = %d, Retry-After %q, cookies %v", r.Request.Method, r.Request.URL.Path,
				r.StatusCode, r.Header.Get("Retry-After"), r.Header["Set-Cookie"])
		}
	}
	begin := b.Navigate("/bff/login?returnUrl=/after") // a login during the outage ends in a page that says so
	failed := b.Navigate(g.OP.Login(begin.Header.Get("Location")).RequestURI())
	if failed.StatusCode != http.StatusServiceUnavailable || !strings.Contains(failed.Text, "could not be saved") {
		t.Errorf("login during the outage = %d %s", failed.StatusCode, failed.Text)
	}
	if r := g.Browser().Get(g.Admin + "/readyz"); r.StatusCode != http.StatusOK && r.StatusCode != http.StatusServiceUnavailable {
		t.Errorf("readiness = %d", r.StatusCode)
	}
	if len(g.API.Requests()) != 0 || b.Cookie() != before {
		t.Errorf("calls at the API = %d, the cookie changed: %v", len(g.API.Requests()), b.Cookie() != before)
	}
	mend()
	b.Get("/bff/user").Want(t, http.StatusOK, "")
	world.Eventually(t, "the tokens of the refused login to be revoked", func() bool { return len(g.OP.LiveRefreshTokens()) == 1 })
}

// RN9, LO1, MD8: a provider that is down delays revocations and new logins, and nothing else.
func TestProviderOutageLogsNobodyOut(t *testing.T) {
	g := world.New(t, "")
	g.OP.SetTokenLife(2 * time.Second)
	b, other := g.Browser(), g.Browser()
	b.Login()
	other.Login()
	up := g.OP.SetDown()
	b.Get("/api/x").Want(t, http.StatusOK, "") // the token is still good
	time.Sleep(2100 * time.Millisecond)
	r := b.Get("/api/x")
	r.Want(t, http.StatusServiceUnavailable, "provider_unreachable")
	if r.Header.Get("Retry-After") == "" || len(r.Header["Set-Cookie"]) > 0 {
		t.Errorf("headers = %v", r.Header)
	}
	b.Get("/bff/user").Want(t, http.StatusOK, "")
	start := time.Now()
	other.Do(http.MethodPost, "/bff/logout", nil)
	if took := time.Since(start); took > time.Second || other.Cookie() != "" {
		t.Errorf("logout took %s, cookie %q", took, other.Cookie())
	}
	other.Get("/bff/user").Want(t, http.StatusUnauthorized, "")
	up()
	world.Eventually(t, "the call to work again, and the logout's token to be dead", func() bool {
		return b.Get("/api/x").StatusCode == http.StatusOK && len(g.OP.LiveRefreshTokens()) == 1
	})
}

// CB10, RN9: if the provider refuses the client, the operator must act. If it refuses the token,
// the session ends, with a code of its own.
func TestRefusalsOfARenewalAreToldApart(t *testing.T) {
	g := world.New(t, "")
	g.OP.SetTokenLife(time.Second)
	b := g.Browser()
	b.Login()
	undo := g.OP.Intercept("token", func(w http.ResponseWriter, _ *http.Request, _ http.HandlerFunc) {
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(http.StatusUnauthorized)
		_, _ = w.Write([]byte(`{"error":"invalid_client","error_description":"<script>"}`))
	})
	time.Sleep(1100 * time.Millisecond)
	b.Get("/api/x").Want(t, http.StatusServiceUnavailable, "provider_misconfigured")
	b.Get("/bff/user").Want(t, http.StatusOK, "")
	undo()
	g.OP.Intercept("token", func(w http.ResponseWriter, _ *http.Request, _ http.HandlerFunc) {
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(http.StatusBadRequest)
		_, _ = w.Write([]byte(`{"error":"invalid_grant"}`))
	})
	world.Eventually(t, "the refused token to end the session", func() bool {
		r := b.Get("/api/x")
		if r.StatusCode == http.StatusUnauthorized {
			r.Want(t, http.StatusUnauthorized, "reauthentication_required")
		}
		return r.StatusCode == http.StatusUnauthorized
	})
	b.Get("/bff/user").Want(t, http.StatusUnauthorized, "")
}
