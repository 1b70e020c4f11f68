package server_test

import (
	"encoding/json"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/cloakroom/cloakroom/test/providers/odd"
)

// The whole path: SC1, SC3, SC5, MD11, PX6, LO1, LO2, LO4, RV1, SC11, BR1.
func TestLoginCallLogoutRevoke(t *testing.T) {
	g := newRig(t, "")
	b := g.browser()
	callback := b.login()
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
	user := b.get("/bff/user")
	if err := json.Unmarshal([]byte(user.body), &claims); err != nil || user.StatusCode != http.StatusOK {
		t.Fatalf("user = %d %s", user.StatusCode, user.body)
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

	called := b.get("/api/x?a=1;b=2&c=%zz")
	called.want(t, http.StatusOK, "")
	seen := g.api.requests()[0]
	if !strings.HasPrefix(seen.Header.Get("Authorization"), "Bearer ") || seen.Header.Get("Cookie") != "" || seen.Header.Get("X-Csrf") != "" {
		t.Errorf("the API saw %v", seen.Header)
	}
	if seen.URL.Path != "/x" || seen.URL.RawQuery != "a=1;b=2&c=%zz" { // PX12
		t.Errorf("the API saw %s?%s", seen.URL.Path, seen.URL.RawQuery)
	}
	if cc := called.Header.Get("Cache-Control"); cc != "private" { // PR3
		t.Errorf("Cache-Control of an authenticated answer = %q, want private", cc)
	}

	stolen := b.cookie()
	out := b.navigate(logoutURL + "&returnUrl=/bye")
	to, err := url.Parse(out.Header.Get("Location"))
	if err != nil || out.StatusCode != http.StatusFound || !strings.HasPrefix(to.String(), g.op.Issuer()) {
		t.Fatalf("logout = %d to %s", out.StatusCode, to)
	}
	q := to.Query()
	if q.Get("id_token_hint") == "" || q.Get("client_id") != g.op.Client.ID || q.Get("post_logout_redirect_uri") != g.origin+"/bff/logout/callback/main" || strings.Contains(q.Get("state"), "bye") {
		t.Errorf("end-session request = %v", q)
	}
	if b.cookie() != "" || out.Header.Get("Clear-Site-Data") != `"cache"` {
		t.Errorf("after the logout: cookie %q, Clear-Site-Data %q", b.cookie(), out.Header.Get("Clear-Site-Data"))
	}
	back := b.navigate("/bff/logout/callback/main?state=" + url.QueryEscape(q.Get("state")))
	if back.StatusCode != http.StatusFound || back.Header.Get("Location") != "/bye" {
		t.Errorf("way back = %d to %q", back.StatusCode, back.Header.Get("Location"))
	}
	b.get("/api/x", "Cookie", "cloakroom="+stolen).want(t, http.StatusUnauthorized, "")
	eventually(t, "the refresh token to be dead", func() bool { return len(g.op.LiveRefreshTokens()) == 0 })
	if n := len(g.api.requests()); n != 1 {
		t.Errorf("requests at the API = %d, want 1", n)
	}
}

// SC4, BR5, LS13: a visitor gets an answer, and nothing is stored for them.
func TestVisitorGetsNoCookieAndSaysWhereToLogIn(t *testing.T) {
	g := newRig(t, "")
	b := g.browser()
	r := b.get("/api/x", "Referer", g.origin+"/orders?page=2")
	r.want(t, http.StatusUnauthorized, "not_authenticated")
	if !strings.Contains(r.body, `"login_url":"/bff/login?returnUrl=%2Forders%3Fpage%3D2"`) || r.Header.Get("Content-Type") != "application/problem+json" {
		t.Errorf("answer = %s %s", r.Header.Get("Content-Type"), r.body)
	}
	for _, ref := range []string{"https://evil.example/x", g.origin + "/bff/logout?sid=x", "nonsense"} {
		if r := b.get("/bff/user", "Referer", ref); !strings.Contains(r.body, `"login_url":"/bff/login"`) {
			t.Errorf("login_url for Referer %s: %s", ref, r.body)
		}
	}
	if r := b.get("/bff/session"); r.StatusCode != http.StatusOK || strings.TrimSpace(r.body) != `{"authenticated":false}` {
		t.Errorf("session of a visitor = %d %s", r.StatusCode, r.body)
	}
	for _, p := range []string{"/", "/bff/user", "/bff/session", "/bff/logout", "/nothing"} {
		if c := b.get(p).Header["Set-Cookie"]; len(c) > 0 {
			t.Errorf("%s sets %v", p, c)
		}
	}
}

// CS1–CS3, CS8, CS9: what could be forged is refused, and changes nothing.
func TestWhatCouldBeForgedIsRefused(t *testing.T) {
	g := newRig(t, "")
	b := g.browser()
	b.login()
	for _, path := range []string{"/bff/user", "/bff/session", "/bff/sessions", "/api/x"} {
		for _, header := range [][]string{
			{"X-CSRF", ""},
			{"X-CSRF", "0"},
			{"X-CSRF", "1, 1"},
			{"Sec-Fetch-Site", "cross-site"},
			{"Sec-Fetch-Site", "same-site"},
			{"Origin", "null"},
			{"Origin", "https://evil.example"},
			{"Origin", strings.Replace(g.origin, "http", "https", 1)},
			{"Sec-Fetch-Mode", "no-cors", "Sec-Fetch-Site", "cross-site"},
		} {
			b.get(path, header...).want(t, http.StatusForbidden, "csrf")
		}
	}
	b.do(http.MethodPost, "/bff/logout", nil, "X-CSRF", "").want(t, http.StatusForbidden, "csrf")
	b.get("/bff/events", "Sec-Fetch-Site", "cross-site", "X-CSRF", "").want(t, http.StatusForbidden, "csrf")
	b.get("/bff/logout?sid=wrong").want(t, http.StatusBadRequest, "invalid_logout")
	b.get("/bff/logout").want(t, http.StatusBadRequest, "invalid_logout")
	b.get("/bff/logout?sid=a&sid=b").want(t, http.StatusBadRequest, "invalid_logout")
	b.get("/bff/logout?sid=x", "Sec-Purpose", "prefetch").want(t, http.StatusBadRequest, "navigation_required")
	b.do(http.MethodHead, "/bff/logout", nil).want(t, http.StatusMethodNotAllowed, "")
	if len(g.api.requests()) != 0 {
		t.Error("a refused call reached the API")
	}
	b.get("/bff/user").want(t, http.StatusOK, "")
}

func TestEveryEndpointAnswersBadInputWithAProblem(t *testing.T) {
	g := newRig(t, "")
	b := g.browser()
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
		r := b.do(c.method, c.path, nil, "Accept", "application/json")
		r.want(t, c.status, c.code)
		if r.StatusCode != 404 && r.Header.Get("Cache-Control") != "no-store" {
			t.Errorf("%s %s: Cache-Control = %q", c.method, c.path, r.Header.Get("Cache-Control"))
		}
		if c.status == 405 && r.Header.Get("Allow") == "" {
			t.Errorf("%s %s: no Allow", c.method, c.path)
		}
	}
	for _, cookie := range []string{"cloakroom=garbage", "cloakroom=", "cloakroom=\xff\xfe", "=cloakroom=x", strings.Repeat("a=b; ", 2000)} {
		b.get("/bff/user", "Cookie", cookie).want(t, http.StatusUnauthorized, "not_authenticated")
	}
	if log := g.log.String(); strings.Contains(log, `"level":"ERROR"`) {
		t.Errorf("bad input is logged as an error:\n%s", log)
	}
}

// LS9: only a navigation starts a login.
func TestOnlyANavigationStartsALogin(t *testing.T) {
	g := newRig(t, "")
	b := g.browser()
	for _, header := range [][]string{
		{"Sec-Fetch-Mode", "cors", "Sec-Fetch-Dest", "empty"},
		{"Sec-Fetch-Mode", "no-cors", "Sec-Fetch-Dest", "image"},
		{"Sec-Fetch-Mode", "navigate", "Sec-Fetch-Dest", "iframe"},
		{"Sec-Purpose", "prefetch;prerender"},
		{"Purpose", "prefetch"},
	} {
		r := b.get("/bff/login", header...)
		if r.StatusCode != http.StatusBadRequest || len(r.Header["Set-Cookie"]) > 0 {
			t.Errorf("login with %v = %d, cookies %v", header, r.StatusCode, r.Header["Set-Cookie"])
		}
	}
	if g.op.Count(odd.Authorize) != 0 {
		t.Error("the provider was visited")
	}
	b.login()
}

// LS9: an app's service worker passes navigations on with the destination empty.
func TestNavigationsThroughAServiceWorkerAreNavigations(t *testing.T) {
	g := newRig(t, "")
	b := g.browser()
	passedOn := func(path string) *reply {
		return b.get(path, "X-CSRF", "", "Accept", "text/html", "Sec-Fetch-Mode", "navigate", "Sec-Fetch-Dest", "empty", "Sec-Fetch-Site", "same-origin")
	}
	begin := passedOn("/bff/login?returnUrl=/deep")
	begin.want(t, http.StatusFound, "")
	back := passedOn(g.op.Login(begin.Header.Get("Location")).RequestURI())
	if back.StatusCode != http.StatusFound || back.Header.Get("Location") != "/deep" {
		t.Fatalf("callback = %d to %q", back.StatusCode, back.Header.Get("Location"))
	}
	for path, want := range map[string]int{"/deep": 200, "/bff/sessions": 200, "/bff/typo": 404} {
		if r := passedOn(path); r.StatusCode != want || !strings.HasPrefix(r.Header.Get("Content-Type"), "text/html") {
			t.Errorf("%s = %d %s, want %d and a page", path, r.StatusCode, r.Header.Get("Content-Type"), want)
		}
	}
	var claims map[string]any
	if err := json.Unmarshal([]byte(b.get("/bff/user?format=object").body), &claims); err != nil {
		t.Fatal(err)
	}
	if r := passedOn(claims["bff:logout_url"].(string)); r.StatusCode != http.StatusFound {
		t.Errorf("logout = %d", r.StatusCode)
	}
	b.get("/bff/user").want(t, http.StatusUnauthorized, "not_authenticated")
}

// CB2: the back button after a login goes on to the app, and changes nothing.
func TestStaleCallbackInALiveSessionGoesOn(t *testing.T) {
	g := newRig(t, "")
	b := g.browser()
	begin := b.navigate("/bff/login")
	back := g.op.Login(begin.Header.Get("Location")).RequestURI()
	b.navigate(back).want(t, http.StatusFound, "")
	before := b.cookie()
	again := b.navigate(back)
	if again.StatusCode != http.StatusFound || again.Header.Get("Location") != "/" || b.cookie() != before {
		t.Errorf("stale callback = %d to %q", again.StatusCode, again.Header.Get("Location"))
	}
	g.browser().navigate(back).want(t, http.StatusBadRequest, "") // CB3: another browser has no use for it
	if n := len(g.op.Grants("authorization_code")); n != 1 {
		t.Errorf("codes redeemed = %d, want 1", n)
	}
}

// LS16, RV1: the session that a login replaces ends, and its token is revoked.
func TestASecondLoginEndsTheFirstSession(t *testing.T) {
	g := newRig(t, "")
	b := g.browser()
	b.login()
	first := b.cookie()
	b.login()
	g.browser().get("/bff/user", "Cookie", "cloakroom="+first).want(t, http.StatusUnauthorized, "")
	b.get("/bff/user", "Cookie", "cloakroom="+first).want(t, http.StatusOK, "") // SC6: the good one of two counts
	b.get("/bff/user").want(t, http.StatusOK, "")
}

// SC12: idle and absolute limits hold; asking about the session keeps nobody logged in.
func TestExpiryHolds(t *testing.T) {
	g := newRig(t, "  lifetime: 3s\n  idle_timeout: 1s\n  max_staleness: 0s")
	idle, busy := g.browser(), g.browser()
	idle.login()
	busy.login()
	for deadline := time.Now().Add(2500 * time.Millisecond); time.Now().Before(deadline); time.Sleep(200 * time.Millisecond) {
		idle.get("/bff/session")
		idle.get("/bff/user?slide=false")
		busy.get("/bff/user").want(t, http.StatusOK, "")
	}
	idle.get("/bff/user").want(t, http.StatusUnauthorized, "session_expired")
	time.Sleep(time.Second)
	busy.get("/bff/user").want(t, http.StatusUnauthorized, "session_expired")
	eventually(t, "expired sessions' tokens to be revoked", func() bool { return len(g.op.LiveRefreshTokens()) == 0 })
}

// LO5: logging out without a session is no failure.
func TestLogoutTwice(t *testing.T) {
	g := newRig(t, "")
	b := g.browser()
	b.login()
	r := b.do(http.MethodPost, "/bff/logout", nil)
	if r.StatusCode != http.StatusOK || !strings.Contains(r.body, `"redirect":"`+g.origin+`/bff/logout/continue?handle=`) {
		t.Errorf("logout by fetch = %d %s", r.StatusCode, r.body)
	}
	b.do(http.MethodPost, "/bff/logout", nil).want(t, http.StatusNoContent, "")
	b.navigate("/bff/logout?sid=x&returnUrl=/bye").want(t, http.StatusFound, "")
	for _, state := range []string{"", "?state=", "?state=foreign", "?state=a&state=b"} { // LO4
		b.navigate("/bff/logout/callback/main"+state).want(t, http.StatusOK, "")
	}
}

func TestOwnSessions(t *testing.T) {
	g := newRig(t, "")
	one, two := g.browser(), g.browser()
	one.login()
	two.login()
	var rows []struct {
		ID      string
		Current bool
	}
	r := one.get("/bff/sessions")
	if err := json.Unmarshal([]byte(r.body), &rows); err != nil || len(rows) != 2 {
		t.Fatalf("sessions = %s", r.body)
	}
	for _, row := range rows {
		g.browser().get("/bff/user", "Cookie", "cloakroom="+row.ID).want(t, http.StatusUnauthorized, "") // SC16
	}
	one.do(http.MethodPost, "/bff/sessions/end-others", nil).want(t, http.StatusNoContent, "")
	two.get("/bff/user").want(t, http.StatusUnauthorized, "")
	one.get("/bff/user").want(t, http.StatusOK, "")
	one.do(http.MethodDelete, "/bff/sessions/"+rows[0].ID, nil)
	one.do(http.MethodDelete, "/bff/sessions/"+rows[1].ID, nil)
	one.get("/bff/user").want(t, http.StatusUnauthorized, "")
}
