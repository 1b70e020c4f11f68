package handlers_test

import (
	"encoding/json"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/cloakroom/cloakroom/test/providers/odd"
	"github.com/cloakroom/cloakroom/test/world"
)

// The whole path: SC1, SC3, SC5, MD11, PX6, LO1, LO2, LO4, RV1, SC11, BR1.
func TestLoginCallLogoutRevoke(t *testing.T) {
	g := world.New(t, "")
	b := g.Browser()
	callback := b.Login()
	for _, line := range callback.Header["Set-Cookie"] {
		if strings.HasPrefix(line, "cloakroom=") && (!strings.Contains(line, "HttpOnly") || !strings.Contains(line, "SameSite=Strict") ||
			!strings.Contains(line, "Path=/") || strings.Contains(line, "Domain") || strings.Contains(line, "Expires")) {
			t.Errorf("session cookie = %s", line)
		}
	}
	if cc := callback.Header.Values("Cache-Control"); !slices.Equal(cc, []string{"no-store"}) {
		t.Errorf("Cache-Control of the callback = %q, want no-store alone", cc)
	}

	var claims []struct {
		Type  string
		Value any
	}
	user := b.Get("/bff/user")
	if err := json.Unmarshal([]byte(user.Text), &claims); err != nil || user.StatusCode != http.StatusOK {
		t.Fatalf("user = %d %s", user.StatusCode, user.Text)
	}
	found := map[string]any{}
	for _, c := range claims {
		found[c.Type] = c.Value
	}
	logoutURL, _ := found["bff:logout_url"].(string)
	if found["sub"] != "alice" || found["name"] != "Alice Example" || !strings.HasPrefix(logoutURL, "/bff/logout?sid=") ||
		found["bff:session_expires_in"].(float64) < 1000 {
		t.Errorf("claims = %v", found)
	}

	called := b.Get("/api/x?a=1;b=2&c=%zz")
	called.Want(t, http.StatusOK, "")
	seen := g.API.Requests()[0]
	if !strings.HasPrefix(seen.Header.Get("Authorization"), "Bearer ") ||
		seen.Header.Get("Cookie") != "" || seen.Header.Get("X-Csrf") != "" {
		t.Errorf("the API saw %v", seen.Header)
	}
	if seen.URL.Path != "/x" || seen.URL.RawQuery != "a=1;b=2&c=%zz" { // PX12
		t.Errorf("the API saw %s?%s", seen.URL.Path, seen.URL.RawQuery)
	}
	if cc := called.Header.Get("Cache-Control"); cc != "private" { // PR3
		t.Errorf("Cache-Control of an authenticated answer = %q, want private", cc)
	}

	stolen := b.Cookie()
	out := b.Navigate(logoutURL + "&returnUrl=/bye")
	to, err := url.Parse(out.Header.Get("Location"))
	if err != nil || out.StatusCode != http.StatusFound || !strings.HasPrefix(to.String(), g.OP.Issuer()) {
		t.Fatalf("logout = %d to %s", out.StatusCode, to)
	}
	q := to.Query()
	if q.Get("id_token_hint") == "" || q.Get("client_id") != g.OP.Client.ID ||
		q.Get("post_logout_redirect_uri") != g.Origin+"/bff/logout/callback/main" ||
		strings.Contains(q.Get("state"), "bye") {
		t.Errorf("end-session request = %v", q)
	}
	if b.Cookie() != "" || out.Header.Get("Clear-Site-Data") != `"cache"` {
		t.Errorf("after the logout: cookie %q, Clear-Site-Data %q", b.Cookie(), out.Header.Get("Clear-Site-Data"))
	}
	back := b.Navigate("/bff/logout/callback/main?state=" + url.QueryEscape(q.Get("state")))
	if back.StatusCode != http.StatusFound || back.Header.Get("Location") != "/bye" {
		t.Errorf("way back = %d to %q", back.StatusCode, back.Header.Get("Location"))
	}
	b.Get("/api/x", "Cookie", "cloakroom="+stolen).Want(t, http.StatusUnauthorized, "")
	world.Eventually(t, "the refresh token to be dead", func() bool { return len(g.OP.LiveRefreshTokens()) == 0 })
	if n := len(g.API.Requests()); n != 1 {
		t.Errorf("requests at the API = %d, want 1", n)
	}
}

// SC4, BR5, LS13: a visitor gets an answer, and nothing is stored.
func TestVisitorGetsNoCookieAndSaysWhereToLogIn(t *testing.T) {
	g := world.New(t, "")
	b := g.Browser()
	r := b.Get("/api/x", "Referer", g.Origin+"/orders?page=2")
	r.Want(t, http.StatusUnauthorized, "not_authenticated")
	loginURL := `"login_url":"/bff/login?returnUrl=%2Forders%3Fpage%3D2"`
	if !strings.Contains(r.Text, loginURL) || r.Header.Get("Content-Type") != "application/problem+json" {
		t.Errorf("answer = %s %s", r.Header.Get("Content-Type"), r.Text)
	}
	for _, ref := range []string{"https://evil.example/x", g.Origin + "/bff/logout?sid=x", "nonsense"} {
		if r := b.Get("/bff/user", "Referer", ref); !strings.Contains(r.Text, `"login_url":"/bff/login"`) {
			t.Errorf("login_url for Referer %s: %s", ref, r.Text)
		}
	}
	if r := b.Get("/bff/session"); r.StatusCode != http.StatusOK || strings.TrimSpace(r.Text) != `{"authenticated":false}` {
		t.Errorf("session of a visitor = %d %s", r.StatusCode, r.Text)
	}
	for _, p := range []string{"/", "/bff/user", "/bff/session", "/bff/logout", "/nothing"} {
		if c := b.Get(p).Header["Set-Cookie"]; len(c) > 0 {
			t.Errorf("%s sets %v", p, c)
		}
	}
}

// CS1–CS3, CS8, CS9: a request that may be forged is refused, and changes nothing.
func TestWhatCouldBeForgedIsRefused(t *testing.T) {
	g := world.New(t, "")
	b := g.Browser()
	b.Login()
	for _, path := range []string{"/bff/user", "/bff/session", "/bff/sessions", "/api/x"} {
		for _, header := range [][]string{
			{"X-CSRF", ""},
			{"X-CSRF", "0"},
			{"X-CSRF", "1, 1"},
			{"Sec-Fetch-Site", "cross-site"},
			{"Sec-Fetch-Site", "same-site"},
			{"Origin", "null"},
			{"Origin", "https://evil.example"},
			{"Origin", strings.Replace(g.Origin, "http", "https", 1)},
			{"Sec-Fetch-Mode", "no-cors", "Sec-Fetch-Site", "cross-site"},
		} {
			b.Get(path, header...).Want(t, http.StatusForbidden, "csrf")
		}
	}
	b.Do(http.MethodPost, "/bff/logout", nil, "X-CSRF", "").Want(t, http.StatusForbidden, "csrf")
	b.Get("/bff/events", "Sec-Fetch-Site", "cross-site", "X-CSRF", "").Want(t, http.StatusForbidden, "csrf")
	b.Get("/bff/logout?sid=wrong").Want(t, http.StatusBadRequest, "invalid_logout")
	b.Get("/bff/logout").Want(t, http.StatusBadRequest, "invalid_logout")
	b.Get("/bff/logout?sid=a&sid=b").Want(t, http.StatusBadRequest, "invalid_logout")
	b.Get("/bff/logout?sid=x", "Sec-Purpose", "prefetch").Want(t, http.StatusBadRequest, "navigation_required")
	b.Do(http.MethodHead, "/bff/logout", nil).Want(t, http.StatusMethodNotAllowed, "")
	if len(g.API.Requests()) != 0 {
		t.Error("a refused call reached the API")
	}
	b.Get("/bff/user").Want(t, http.StatusOK, "")
}

func TestEveryEndpointAnswersBadInputWithAProblem(t *testing.T) {
	g := world.New(t, "")
	b := g.Browser()
	for _, c := range []struct {
		method, path string
		status       int
		code         string
	}{
		{"DELETE", "/bff/user", 405, "method_not_allowed"},
		{"POST", "/bff/session", 405, "method_not_allowed"},
		{"PUT", "/bff/login", 405, "method_not_allowed"},
		{"GET", "/bff/backchannel/main", 405, "method_not_allowed"},
		{"GET", "/bff/typo", 404, "not_found"},
		{"GET", "/bff", 404, "not_found"},
		{"GET", "/bff/user/x.js", 404, "not_found"},
		{"GET", "/bff/user;.css", 404, "not_found"},
		{"GET", "/bff/login?provider=nobody", 404, "unknown_provider"},
		{"GET", "/bff/login?provider=main&provider=main", 404, "unknown_provider"},
		{"GET", "/bff/login?returnUrl=//evil.example", 400, "invalid_return_url"},
		{"GET", "/bff/login?returnUrl=/a&returnUrl=/b", 400, "invalid_return_url"},
		{"GET", "/bff/login?returnUrl=/bff/logout", 400, "invalid_return_url"},
		{"GET", "/bff/login?prompt=none&prompt=login", 400, "bad_request"},
		{"GET", "/bff/login?max_age=-1", 400, "bad_request"},
		{"GET", "/bff/callback/nobody?code=x&state=y", 404, "unknown_provider"},
		{"GET", "/bff/callback/main", 400, "invalid_response"},
		{"GET", "/bff/callback/main?code=a&code=b&state=x", 400, ""},
		{"GET", "/bff/callback/main?code=a&state=%ff%fe", 400, ""},
		{"POST", "/bff/callback/main", 405, "method_not_allowed"},
		{"POST", "/bff/backchannel/main", 400, "invalid_logout_token"},
		{"POST", "/bff/backchannel/nobody", 404, "unknown_provider"},
		{"GET", "/bff/logout/callback/nobody", 404, "unknown_provider"},
		{"DELETE", "/bff/sessions/x", 401, "not_authenticated"},
		{"DELETE", "/api/x", 405, "method_not_allowed"},
	} {
		r := b.Do(c.method, c.path, nil, "Accept", "application/json")
		r.Want(t, c.status, c.code)
		if r.StatusCode != 404 && r.Header.Get("Cache-Control") != "no-store" {
			t.Errorf("%s %s: Cache-Control = %q", c.method, c.path, r.Header.Get("Cache-Control"))
		}
		if c.status == 405 && r.Header.Get("Allow") == "" {
			t.Errorf("%s %s: no Allow", c.method, c.path)
		}
	}
	for _, cookie := range []string{
		"cloakroom=garbage", "cloakroom=", "cloakroom=\xff\xfe", "=cloakroom=x",
		strings.Repeat("a=b; ", 2000),
	} {
		b.Get("/bff/user", "Cookie", cookie).Want(t, http.StatusUnauthorized, "not_authenticated")
	}
	if log := g.Log.String(); strings.Contains(log, `"level":"ERROR"`) {
		t.Errorf("bad input is logged as an error:\n%s", log)
	}
}

// LS9: only a navigation starts a login.
func TestOnlyANavigationStartsALogin(t *testing.T) {
	g := world.New(t, "")
	b := g.Browser()
	for _, header := range [][]string{
		{"Sec-Fetch-Mode", "cors", "Sec-Fetch-Dest", "empty"},
		{"Sec-Fetch-Mode", "no-cors", "Sec-Fetch-Dest", "image"},
		{"Sec-Fetch-Mode", "navigate", "Sec-Fetch-Dest", "iframe"},
		{"Sec-Purpose", "prefetch;prerender"},
		{"Purpose", "prefetch"},
	} {
		r := b.Get("/bff/login", header...)
		if r.StatusCode != http.StatusBadRequest || len(r.Header["Set-Cookie"]) > 0 {
			t.Errorf("login with %v = %d, cookies %v", header, r.StatusCode, r.Header["Set-Cookie"])
		}
	}
	if g.OP.Count(odd.Authorize) != 0 {
		t.Error("the provider was visited")
	}
	b.Login()
}

// LS9: the service worker of an app forwards navigations with the destination empty.
func TestNavigationsThroughAServiceWorkerAreNavigations(t *testing.T) {
	g := world.New(t, "")
	b := g.Browser()
	passedOn := func(path string) *world.Reply {
		return b.Get(path, "X-CSRF", "", "Accept", "text/html",
			"Sec-Fetch-Mode", "navigate", "Sec-Fetch-Dest", "empty", "Sec-Fetch-Site", "same-origin")
	}
	begin := passedOn("/bff/login?returnUrl=/deep")
	begin.Want(t, http.StatusFound, "")
	back := passedOn(g.OP.Login(begin.Header.Get("Location")).RequestURI())
	if back.StatusCode != http.StatusFound || back.Header.Get("Location") != "/deep" {
		t.Fatalf("callback = %d to %q", back.StatusCode, back.Header.Get("Location"))
	}
	for path, want := range map[string]int{"/deep": 200, "/bff/sessions": 200, "/bff/typo": 404} {
		if r := passedOn(path); r.StatusCode != want || !strings.HasPrefix(r.Header.Get("Content-Type"), "text/html") {
			t.Errorf("%s = %d %s, want %d and a page", path, r.StatusCode, r.Header.Get("Content-Type"), want)
		}
	}
	var claims map[string]any
	if err := json.Unmarshal([]byte(b.Get("/bff/user?format=object").Text), &claims); err != nil {
		t.Fatal(err)
	}
	if r := passedOn(claims["bff:logout_url"].(string)); r.StatusCode != http.StatusFound {
		t.Errorf("logout = %d", r.StatusCode)
	}
	b.Get("/bff/user").Want(t, http.StatusUnauthorized, "not_authenticated")
}

// CB2: the back button after a login leads to the app, and changes nothing.
func TestStaleCallbackInALiveSessionGoesOn(t *testing.T) {
	g := world.New(t, "")
	b := g.Browser()
	begin := b.Navigate("/bff/login")
	back := g.OP.Login(begin.Header.Get("Location")).RequestURI()
	b.Navigate(back).Want(t, http.StatusFound, "")
	before := b.Cookie()
	again := b.Navigate(back)
	if again.StatusCode != http.StatusFound || again.Header.Get("Location") != "/" || b.Cookie() != before {
		t.Errorf("stale callback = %d to %q", again.StatusCode, again.Header.Get("Location"))
	}
	g.Browser().Navigate(back).Want(t, http.StatusBadRequest, "") // CB3: another browser has no use for it
	if n := len(g.OP.Grants("authorization_code")); n != 1 {
		t.Errorf("codes redeemed = %d, want 1", n)
	}
}

// LS16, RV1: the session that a login replaces ends, and its token is revoked.
func TestASecondLoginEndsTheFirstSession(t *testing.T) {
	g := world.New(t, "")
	b := g.Browser()
	b.Login()
	first := b.Cookie()
	b.Login()
	g.Browser().Get("/bff/user", "Cookie", "cloakroom="+first).Want(t, http.StatusUnauthorized, "")
	b.Get("/bff/user", "Cookie", "cloakroom="+first).Want(t, http.StatusOK, "") // SC6: the good one of two counts
	b.Get("/bff/user").Want(t, http.StatusOK, "")
}

// SC12: idle and absolute limits hold; reading the session does not extend it.
func TestExpiryHolds(t *testing.T) {
	g := world.New(t, "  lifetime: 3s\n  idle_timeout: 1s\n  max_staleness: 0s")
	idle, busy := g.Browser(), g.Browser()
	idle.Login()
	busy.Login()
	for deadline := time.Now().Add(2500 * time.Millisecond); time.Now().Before(deadline); time.Sleep(200 * time.Millisecond) {
		idle.Get("/bff/session")
		idle.Get("/bff/user?slide=false")
		busy.Get("/bff/user").Want(t, http.StatusOK, "")
	}
	idle.Get("/bff/user").Want(t, http.StatusUnauthorized, "session_expired")
	time.Sleep(time.Second)
	busy.Get("/bff/user").Want(t, http.StatusUnauthorized, "session_expired")
	world.Eventually(t, "expired sessions' tokens to be revoked", func() bool { return len(g.OP.LiveRefreshTokens()) == 0 })
}

// LO5: a logout without a session succeeds.
func TestLogoutTwice(t *testing.T) {
	g := world.New(t, "")
	b := g.Browser()
	b.Login()
	r := b.Do(http.MethodPost, "/bff/logout", nil)
	if r.StatusCode != http.StatusOK || !strings.Contains(r.Text, `"redirect":"`+g.Origin+`/bff/logout/continue?handle=`) {
		t.Errorf("logout by fetch = %d %s", r.StatusCode, r.Text)
	}
	b.Do(http.MethodPost, "/bff/logout", nil).Want(t, http.StatusNoContent, "")
	b.Navigate("/bff/logout?sid=x&returnUrl=/bye").Want(t, http.StatusFound, "")
	for _, state := range []string{"", "?state=", "?state=foreign", "?state=a&state=b"} { // LO4
		b.Navigate("/bff/logout/callback/main"+state).Want(t, http.StatusOK, "")
	}
}

func TestOwnSessions(t *testing.T) {
	g := world.New(t, "")
	one, two := g.Browser(), g.Browser()
	one.Login()
	two.Login()
	var rows []struct {
		ID      string
		Current bool
	}
	r := one.Get("/bff/sessions")
	if err := json.Unmarshal([]byte(r.Text), &rows); err != nil || len(rows) != 2 {
		t.Fatalf("sessions = %s", r.Text)
	}
	for _, row := range rows {
		g.Browser().Get("/bff/user", "Cookie", "cloakroom="+row.ID).Want(t, http.StatusUnauthorized, "") // SC16
	}
	one.Do(http.MethodPost, "/bff/sessions/end-others", nil).Want(t, http.StatusNoContent, "")
	two.Get("/bff/user").Want(t, http.StatusUnauthorized, "")
	one.Get("/bff/user").Want(t, http.StatusOK, "")
	one.Do(http.MethodDelete, "/bff/sessions/"+rows[0].ID, nil)
	one.Do(http.MethodDelete, "/bff/sessions/"+rows[1].ID, nil)
	one.Get("/bff/user").Want(t, http.StatusUnauthorized, "")
}
