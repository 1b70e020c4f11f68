package login_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/cloakroom/cloakroom/problem"
	"github.com/cloakroom/cloakroom/session"
	"github.com/cloakroom/cloakroom/test/providers/odd"
)

func (b *browser) post(to string, form url.Values) *http.Request {
	b.w.t.Helper()
	r, err := http.NewRequestWithContext(b.w.t.Context(), http.MethodPost, to, strings.NewReader(form.Encode()))
	if err != nil {
		b.w.t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	return r
}

// with is u with parameters set, or taken away where the value is empty.
func with(u *url.URL, pairs ...string) *url.URL {
	c := *u
	q := c.Query()
	for i := 0; i < len(pairs); i += 2 {
		if q.Del(pairs[i]); pairs[i+1] != "" {
			q.Set(pairs[i], pairs[i+1])
		}
	}
	c.RawQuery = q.Encode()
	return &c
}

func TestLoginStartsASession(t *testing.T) {
	w := newWorld(t)
	w.op.SetUser(odd.Claims{
		"sub": "alice", "name": "Alice", "email": "alice@example.com",
		"bff:logout_url": "/evil", "session_state": "st",
	})
	b := w.browser()
	rec := b.login()
	var claims map[string]any
	if err := json.Unmarshal(rec.Claims, &claims); err != nil {
		t.Fatal(err)
	}
	if rec.Provider != "main" || rec.Issuer != w.op.Issuer() || rec.Subject != "alice" ||
		rec.SID == "" || rec.State != "st" || rec.AuthTime.IsZero() {
		t.Errorf("record = %+v", rec.Record)
	}
	if rec.UserAgent != "test browser" || rec.RemoteAddr != "127.0.0.0" ||
		rec.TokenType != "Bearer" || !strings.Contains(rec.Scope, "openid") {
		t.Errorf("record = %+v", rec.Record)
	}
	if claims["name"] != "Alice" || claims["bff:logout_url"] != nil { // MD12
		t.Errorf("claims = %v", claims)
	}
	if life := rec.AccessTokenExpires.Sub(rec.AccessTokenObtained); life != 5*time.Minute {
		t.Errorf("the access token lives %v", life)
	}
	grant := w.op.Grants("")[0]
	if rec.Access != grant.AccessToken || rec.Refresh != grant.Issued {
		t.Error("the tokens of the session are not the provider's")
	}
	if n := w.op.Count(odd.Userinfo); n != 1 {
		t.Errorf("userinfo was asked %d times, want once", n)
	}
	if len(b.attempts()) != 0 || w.logins("success") != 1 {
		t.Errorf("%d attempts left, %v logins counted", len(b.attempts()), w.logins("success"))
	}
}

// LS4: every tab has an attempt of its own, and they come back in any order.
func TestTwoTabsLogInAtOnce(t *testing.T) {
	w := newWorld(t)
	b := w.browser()
	first, second := b.away("returnUrl=/first"), b.away("returnUrl=/second")
	if a := b.back(second); a.ReturnURL != "/second" || a.Kind != "" {
		t.Errorf("the second tab came to %+v", a)
	}
	if a := b.back(first); a.ReturnURL != "/first" || a.Kind != "" {
		t.Errorf("the first tab came to %+v", a)
	}
	if n := w.stands().sessions; n != 1 {
		t.Errorf("%d sessions, want the last one's", n)
	}
}

// LS16: the new session replaces the old one, though the old one's cookie stayed behind (Strict).
func TestReplacedSessionEndsWithoutItsCookie(t *testing.T) {
	w := newWorld(t)
	b := w.browser()
	old := b.login()
	callback := b.away("")
	ticket := b.cookies()["cloakroom"]
	b.set("cloakroom", "") // a cross-site navigation leaves it behind
	if a := b.back(callback); a.Kind != "" {
		t.Fatalf("the second login came to %+v", a)
	}
	if rec := b.record(); rec == nil || rec.Name == old.Name {
		t.Error("the second login did not start a session of its own")
	}
	waiting := w.outbox()
	if len(waiting) != 1 || !waiting[0].RefreshToken.Equal(old.Refresh) {
		t.Errorf("%d in the outbox, want the first session's tokens", len(waiting))
	}
	b.set("cloakroom", ticket)
	if b.record() != nil {
		t.Error("the first cookie still works")
	}
}

// LS16: another tab logged in meanwhile; the browser shows that session, and it ends.
func TestSessionOfAnotherTabIsReplacedToo(t *testing.T) {
	w := newWorld(t)
	b := w.browser()
	b.login()
	callback := b.away("")
	b.login()
	if a := b.back(callback); a.Kind != "" {
		t.Fatalf("the login came to %+v", a)
	}
	if n := w.stands().sessions; n != 1 || len(w.outbox()) != 2 {
		t.Errorf("%d sessions and %d in the outbox, want 1 and 2", n, len(w.outbox()))
	}
}

// ST1: nowhere to keep the session. Nothing of it stays anywhere: the tokens are revoked at once.
func TestStoreOutageAtLogin(t *testing.T) {
	w := newWorld(t)
	b := w.browser()
	callback := b.away("returnUrl=/orders")
	w.store.Fail("create", "enqueue")
	before := w.stands()
	before.tokenRequests++
	before.userinfo++
	got := b.back(callback)
	w.settle()
	w.store.Fail()
	if live := w.op.LiveRefreshTokens(); len(live) != 0 {
		t.Errorf("%d refresh tokens live on", len(live))
	}
	w.refuses(b, before, got, problem.StoreUnavailable, "")
	if got.ReturnURL != "/orders" {
		t.Errorf("got %+v", got)
	}
}

// SC9: an ID token of 64 KB.
func TestLargeIDTokenWorks(t *testing.T) {
	w := newWorld(t)
	groups := make([]string, 1000)
	for i := range groups {
		groups[i] = fmt.Sprintf("group-%04d-%s", i, strings.Repeat("g", 52))
	}
	w.op.SetUser(odd.Claims{"sub": "alice", "name": "A", "email": "a@example.com", "groups": groups})
	b := w.browser()
	rec := b.login()
	if len(rec.Claims) < 64<<10 {
		t.Errorf("the claims have %d bytes", len(rec.Claims))
	}
	for name, value := range b.cookies() {
		if len(name)+len(value) > 512 {
			t.Errorf("cookie %s has %d bytes", name, len(value))
		}
	}
}

func TestSilentAttemptStaysSilent(t *testing.T) {
	w := newWorld(t)
	b := w.browser()
	start := func() *url.URL {
		r := b.get(w.app + "/bff/login?provider=main&prompt=none")
		r.Header.Set("X-Silent", "1")
		return w.op.Login(b.ask(r).To)
	}
	if a := b.back(with(start(), "code", "", "error", "login_required")); !a.Silent || a.Kind != problem.ProviderRefused {
		t.Errorf("a refused silent login came to %+v", a)
	}
	if a := b.back(start()); !a.Silent || a.Kind != "" {
		t.Errorf("a silent login came to %+v", a)
	}
}

// A logout in the very moment in which a silent login writes the record that its session goes on
// under.
func TestSilentLoginUndoesNoLogoutInItsLastMoment(t *testing.T) {
	w := newWorld(t)
	b := w.browser()
	had := b.login()
	r := b.get(w.app + "/bff/login?provider=main&prompt=none")
	r.Header.Set("X-Silent", "1")
	back := w.op.Login(b.ask(r).To)
	w.store.Before("create", func(ctx context.Context) error {
		w.store.Before("create", nil)
		return w.sessions.End(ctx, had.Name, session.ReasonLogout)
	})
	if a := b.back(back); !a.Silent || a.Kind != problem.AccessDenied || a.Code != "logged_out" {
		t.Errorf("the silent login came to %+v", a)
	}
	w.settle()
	if rec := b.record(); rec != nil {
		t.Error("the browser has a session")
	}
	if n := w.stands().sessions; n != 0 {
		t.Errorf("sessions = %d, want none", n)
	}
}

// RV1: the browser goes away while the code is on its way. The tokens don't get lost.
func TestBrowserThatGoesAwayLosesNoTokens(t *testing.T) {
	w := newWorld(t)
	b := w.browser()
	callback := b.away("")
	release := make(chan struct{})
	undo := w.op.Intercept(odd.Token, odd.Hang(release))
	defer undo()
	r := b.get(callback.String())
	client := &http.Client{Jar: b.jar, Timeout: 300 * time.Millisecond, Transport: &http.Transport{DisableKeepAlives: true}}
	if resp, err := client.Do(r); err == nil {
		_ = resp.Body.Close()
		t.Fatal("the answer came too soon")
	}
	close(release)
	for deadline := time.Now().Add(5 * time.Second); w.stands().sessions == 0; time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("no session holds the tokens, and nothing will revoke them")
		}
	}
}

// LG1, LG4: both ends of a login are logged with provider and reason, and without anything that
// lets anybody in.
func TestLogTellsLoginsAndKeepsSecrets(t *testing.T) {
	w := newWorld(t)
	b := w.browser()
	callback := b.away("")
	attempt := b.cookies()
	if a := b.back(callback); a.Kind != "" {
		t.Fatalf("%+v", a)
	}
	rec := b.record()
	refused := b.away("")
	w.op.OnClaims(func(_ string, c odd.Claims) { c["nonce"] = "x" })
	if a := b.back(refused); a.Kind != problem.IDTokenInvalid {
		t.Fatalf("%+v", a)
	}
	logs := w.logs.String()
	for _, want := range []string{
		`msg="login succeeded" provider=main session=` + rec.ID,
		`msg="login failed" provider=main outcome=id_token_invalid`,
		"code=nonce",
	} {
		if !strings.Contains(logs, want) {
			t.Errorf("the log lacks %q:\n%s", want, logs)
		}
	}
	secrets := []string{rec.Access, rec.Refresh, b.cookies()["cloakroom"], "secret", "alice"}
	for _, u := range []*url.URL{callback, refused} {
		secrets = append(secrets, u.Query().Get("code"), u.Query().Get("state"))
	}
	for _, value := range attempt {
		secrets = append(secrets, value)
	}
	for _, r := range w.op.Requests(odd.Token) {
		secrets = append(secrets, r.Form.Get("code_verifier"))
	}
	for _, s := range secrets {
		if s == "" || strings.Contains(logs, s) {
			t.Errorf("the log holds %q", s)
		}
	}
}
