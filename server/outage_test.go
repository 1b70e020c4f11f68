package server_test

import (
	"database/sql"
	"net/http"
	"strings"
	"testing"
	"time"

	_ "modernc.org/sqlite" // to break the store from outside
)

// breakStore takes the sessions away from under the service, until the returned function puts them back.
func (g *rig) breakStore() (mend func()) {
	g.t.Helper()
	rename := func(from, to string) {
		db, err := sql.Open("sqlite", "file:"+g.db+"?_pragma=busy_timeout(2000)")
		if err != nil {
			g.t.Fatal(err)
		}
		defer db.Close()
		if _, err := db.ExecContext(g.t.Context(), "ALTER TABLE "+from+" RENAME TO "+to); err != nil {
			g.t.Fatal(err)
		}
	}
	rename("sessions", "sessions_away")
	return func() { rename("sessions_away", "sessions") }
}

// ST1, ST2: a store that can't be asked is 503. It is never "logged out", never a
// cleared cookie, and never a logout that did not happen.
func TestStoreOutageKeepsCookie(t *testing.T) {
	g := newRig(t, "  max_staleness: 0s")
	b := g.browser()
	b.login()
	logout := b.get("/bff/user").body
	sid := logout[strings.Index(logout, "sid=")+4:][:22]
	before := b.cookie()
	mend := g.breakStore()
	for _, r := range []*reply{
		b.get("/bff/user"), b.get("/bff/session"), b.get("/api/x"), b.get("/bff/sessions"), b.do(http.MethodPost, "/bff/logout", nil),
		b.get("/bff/events"), b.navigate("/bff/logout?sid=" + sid), g.browser().backchannel(g.op.LogoutToken(bySub("alice"))),
		b.get("/api/x", "Connection", "Upgrade", "Upgrade", "websocket", "Origin", g.origin),
	} {
		if r.StatusCode != http.StatusServiceUnavailable || r.Header.Get("Retry-After") == "" || len(r.Header["Set-Cookie"]) > 0 {
			t.Errorf("%s %s = %d, Retry-After %q, cookies %v", r.Request.Method, r.Request.URL.Path, r.StatusCode, r.Header.Get("Retry-After"), r.Header["Set-Cookie"])
		}
	}
	begin := b.navigate("/bff/login?returnUrl=/after") // a login during the outage ends in a page that says so
	failed := b.navigate(g.op.Login(begin.Header.Get("Location")).RequestURI())
	if failed.StatusCode != http.StatusServiceUnavailable || !strings.Contains(failed.body, "could not be saved") {
		t.Errorf("login during the outage = %d %s", failed.StatusCode, failed.body)
	}
	if r := g.browser().get(g.admin + "/readyz"); r.StatusCode != http.StatusOK && r.StatusCode != http.StatusServiceUnavailable {
		t.Errorf("readiness = %d", r.StatusCode)
	}
	if len(g.api.requests()) != 0 || b.cookie() != before {
		t.Errorf("calls at the API = %d, the cookie changed: %v", len(g.api.requests()), b.cookie() != before)
	}
	mend()
	b.get("/bff/user").want(t, http.StatusOK, "")
	eventually(t, "the tokens of the refused login to be revoked", func() bool { return len(g.op.LiveRefreshTokens()) == 1 })
}

// RN9, LO1, MD8: a provider that is down delays revocations and new logins, and nothing else.
func TestProviderOutageLogsNobodyOut(t *testing.T) {
	g := newRig(t, "")
	g.op.SetTokenLife(2 * time.Second)
	b, other := g.browser(), g.browser()
	b.login()
	other.login()
	up := g.op.SetDown()
	b.get("/api/x").want(t, http.StatusOK, "") // the token is still good
	time.Sleep(2100 * time.Millisecond)
	r := b.get("/api/x")
	r.want(t, http.StatusServiceUnavailable, "provider_unreachable")
	if r.Header.Get("Retry-After") == "" || len(r.Header["Set-Cookie"]) > 0 {
		t.Errorf("headers = %v", r.Header)
	}
	b.get("/bff/user").want(t, http.StatusOK, "")
	start := time.Now()
	other.do(http.MethodPost, "/bff/logout", nil)
	if took := time.Since(start); took > time.Second || other.cookie() != "" {
		t.Errorf("logout took %s, cookie %q", took, other.cookie())
	}
	other.get("/bff/user").want(t, http.StatusUnauthorized, "")
	up()
	eventually(t, "the call to work again, and the logout's token to be dead", func() bool {
		return b.get("/api/x").StatusCode == http.StatusOK && len(g.op.LiveRefreshTokens()) == 1
	})
}

// CB10, RN9: a provider that refuses the client is the operator's affair; one that refuses
// the token ends the session, with a code of its own.
func TestRefusalsOfARenewalAreToldApart(t *testing.T) {
	g := newRig(t, "")
	g.op.SetTokenLife(time.Second)
	b := g.browser()
	b.login()
	undo := g.op.Intercept("token", func(w http.ResponseWriter, _ *http.Request, _ http.HandlerFunc) {
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(http.StatusUnauthorized)
		_, _ = w.Write([]byte(`{"error":"invalid_client","error_description":"<script>"}`))
	})
	time.Sleep(1100 * time.Millisecond)
	b.get("/api/x").want(t, http.StatusServiceUnavailable, "provider_misconfigured")
	b.get("/bff/user").want(t, http.StatusOK, "")
	undo()
	g.op.Intercept("token", func(w http.ResponseWriter, _ *http.Request, _ http.HandlerFunc) {
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(http.StatusBadRequest)
		_, _ = w.Write([]byte(`{"error":"invalid_grant"}`))
	})
	eventually(t, "the refused token to end the session", func() bool {
		r := b.get("/api/x")
		if r.StatusCode == http.StatusUnauthorized {
			r.want(t, http.StatusUnauthorized, "reauthentication_required")
		}
		return r.StatusCode == http.StatusUnauthorized
	})
	b.get("/bff/user").want(t, http.StatusUnauthorized, "")
}
