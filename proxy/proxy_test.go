package proxy_test

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/cloakroom/cloakroom/test/world"

	"github.com/coder/websocket"
)

// PX1, PX4, PX5: a path whose meaning depends on who decodes it is refused, on every route.
func TestAmbiguousPathsReachNoUpstream(t *testing.T) {
	g := world.New(t, "")
	b := g.Browser()
	b.Login()
	for _, path := range []string{
		"/api/%2e%2e/x", "/api/..%2fx", "/api/%2Fx", "/api/%5cx", "/api//x", "/open//x", "/api/%00",
		"/api/..;/x", "/api/%252e%252e/x",
		"/api/%c0%af", "/open/%2e%2e/admin", "/api/x%0d%0aX:1", "/api/%25252e", "/optional/../open",
	} {
		r := raw(b, "GET "+path+" HTTP/1.1\r\nHost: localhost\r\nX-CSRF: 1\r\nConnection: close\r\n\r\n")
		if !strings.HasPrefix(r, "HTTP/1.1 400") {
			t.Errorf("%s = %.60q, want 400", path, r)
		}
	}
	for _, path := range []string{"/apix", "/API/x", "/openx"} {
		b.Get(path).Want(t, http.StatusNotFound, "not_found")
	}
	if n := len(g.API.Requests()); n != 0 {
		t.Errorf("requests at the API = %d, want 0", n)
	}
	b.Get("/optional/a%20b/c").Want(t, http.StatusOK, "")
	if p := g.API.Requests()[0].URL.EscapedPath(); p != "/base/a%20b/c" {
		t.Errorf("path at the API = %s", p)
	}
}

// raw sends bytes and returns what comes back.
func raw(b *world.Browser, request string) string {
	b.T.Helper()
	address := strings.Replace(strings.TrimPrefix(b.World.Origin, "http://"), "localhost", "127.0.0.1", 1)
	conn, err := net.DialTimeout("tcp", address, 5*time.Second)
	if err != nil {
		b.T.Fatal(err)
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(5 * time.Second))
	if _, err := io.WriteString(conn, request); err != nil {
		b.T.Fatal(err)
	}
	answer, err := io.ReadAll(conn)
	if err != nil && len(answer) == 0 {
		b.T.Fatal(err)
	}
	return string(answer)
}

// PX2, PX3, WS2, HT4: nothing but plain requests for this host.
func TestOddRequestsAreRefused(t *testing.T) {
	g := world.New(t, "")
	b := g.Browser()
	for request, want := range map[string]string{
		// An address: it is read as a path of this service and never dialled.
		"GET http://169.254.169.254/api/x HTTP/1.1\r\nHost: 169.254.169.254\r\n":                "401",
		"GET http://evil.example/api/x HTTP/1.1\r\nHost: evil.example\r\n":                      "421",
		"GET /api/x HTTP/1.1\r\nHost: evil.example\r\n":                                         "421",
		"CONNECT localhost:1 HTTP/1.1\r\nHost: localhost\r\n":                                   "4",
		"TRACE /api/x HTTP/1.1\r\nHost: localhost\r\n":                                          "405",
		"FOO /api/x HTTP/1.1\r\nHost: localhost\r\n":                                            "405",
		"GET /open HTTP/1.1\r\nHost: localhost\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABk\r\n": "400",
		"GET /open HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: foo\r\n":      "400",
		"GET /open HTTP/1.1\r\nAccept: text/html\r\nAccept-Language: en\r\n":                    "400",
	} {
		answer := raw(b, request+"X-CSRF: 1\r\nConnection: close\r\n\r\n")
		if !strings.HasPrefix(answer, "HTTP/1.1 "+want) {
			t.Errorf("%.50q = %.60q, want %s", request, answer, want)
		}
	}
	if n := len(g.API.Requests()); n != 0 {
		t.Errorf("requests at the API = %d, want 0", n)
	}
}

// PX6–PX10, SC8: what the service asserts can't be planted, and our cookies never pass.
func TestCallersCanNotPlantHeaders(t *testing.T) {
	g := world.New(t, "")
	b := g.Browser()
	b.Login()
	session := "cloakroom=" + b.Cookie()
	b.Client.Jar = nil
	junk := strings.Repeat("j=1; ", 4000)
	for _, path := range []string{"/optional/x", "/open", "/api/x"} {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, g.Origin+path, nil)
		if err != nil {
			t.Fatal(err)
		}
		req.Header = http.Header{
			"X-Csrf": {"1"}, "Authorization": {"Bearer planted"}, "Proxy-Authorization": {"x"}, "Dpop": {"x"}, "X-User": {"root"},
			"X_User_id": {"root"}, "X-Forwarded-For": {"1.2.3.4"}, "x_forwarded_for": {"1.2.3.4"},
			"Forwarded": {"for=1.2.3.4"}, "X-Real-Ip": {"1.2.3.4"},
			"X-Forwarded-Proto": {"gopher"}, "X-Http-Method-Override": {"DELETE"}, "X-Original-Url": {"/admin"},
			"X-Auth-Request-User": {"root"}, "X-Auth-Request-Preferred-Username": {"root"},
			"X-Auth-Request-Groups": {"root"}, "X_Auth_Request_Provider": {"root"},
			"X-Auth_request-Issuer": {"root"}, "X-Forward-Auth-Secret": {"root"}, "X_forward_auth_secret": {"root"},
			"Connection": {"Authorization, X-Forwarded-For, Cookie, X-Secret"}, "X-Secret": {"s"},
			"Cookie": {`a="x; y"; ` + session + `;; b=2`, "cloakroom-attempt-x=1; c=3; CLOAKROOM=4"},
		}
		if path == "/open" {
			req.Header["Cookie"] = []string{junk + session}
		}
		b.Send(req)
		all := g.API.Requests()
		h := all[len(all)-1].Header
		dump := fmt.Sprint(h)
		for _, bad := range []string{
			"planted", "root", "1.2.3.4", "gopher", "DELETE", "/admin", cookieIn(b, session),
			"attempt", "CLOAKROOM", "X-Secret",
		} {
			if strings.Contains(dump, bad) {
				t.Errorf("%s: the API saw %q", path, bad)
			}
		}
		if h.Get("X-Forwarded-For") != "127.0.0.1" || h.Get("X-Forwarded-Proto") != "http" {
			t.Errorf("%s: forwarded headers = %v", path, h)
		}
		if bearer := strings.HasPrefix(h.Get("Authorization"), "Bearer "); bearer != (path != "/open") {
			t.Errorf("%s: Authorization there = %v", path, bearer)
		}
	}
	b.Send(world.MustRequest(t, g.Origin+"/optional/x", "Authorization", "Bearer planted", "X-CSRF", "1"))
	all := g.API.Requests()
	if got := all[len(all)-1].Header.Get("Authorization"); got != "" {
		t.Errorf("an anonymous caller planted %q", got)
	}
}

func cookieIn(b *world.Browser, pair string) string { return strings.TrimPrefix(pair, "cloakroom=") }

// CS6, PR1–PR3, PR5–PR8: what an upstream must not do to our origin.
func TestUpstreamsCanNotActOnTheOrigin(t *testing.T) {
	g := world.New(t, "")
	b := g.Browser()
	b.Login()
	before := b.Cookie()
	bad := map[string]string{
		"Access-Control-Allow-Origin": "*", "Access-Control-Allow-Credentials": "true",
		"Clear-Site-Data": `"*"`, "Alt-Svc": "h3", "Server": "x",
		"X-Powered-By": "x", "Strict-Transport-Security": "max-age=0",
		"Service-Worker-Allowed": "/", "Nel": "x", "Report-To": "x",
		"X-Accel-Redirect": "/x", "Refresh": "0;url=//e", "Www-Authenticate": "Basic realm=x",
		"Use-As-Dictionary": `match="*"`, "Origin-Trial": "x", "Timing-Allow-Origin": "*",
		"Sec-Session-Registration": "x", "Secure-Session-Registration": "x",
		"Sec-Session-Challenge": "x", "Secure-Session-Challenge": "x", "Shared-Storage-Write": "x",
		"Attribution-Reporting-Register-Trigger": "x",
	}
	g.API.Respond(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Add("Set-Cookie", "cloakroom=stolen; Path=/")
		w.WriteHeader(http.StatusEarlyHints)
		for k, v := range bad {
			w.Header().Set(k, v)
		}
		w.Header().Add("Set-Cookie", " CloakRoom=stolen")
		w.Header().Add("Set-Cookie", "cloakroom-attempt-1=x")
		w.Header().Add("Set-Cookie", "theirs=1")
		w.Header().Set("Cache-Control", "public, max-age=60, s-maxage=99")
		w.Header().Set("Content-Type", "text/html")
		w.Header().Set("Trailer", "X-Sum, Set-Cookie")
		w.Header().Set("Location", g.API.URL+"/next")
		w.WriteHeader(http.StatusOK)
		_, _ = io.WriteString(w, "<script>1</script>")
		w.Header().Set("X-Sum", "7")
		w.Header().Set("Set-Cookie", "cloakroom=stolen")
	})
	r := b.Get("/api/x")
	for k := range bad {
		if v := r.Header.Get(k); v != "" {
			t.Errorf("%s: %s came through", k, v)
		}
	}
	if c := r.Header.Values("Set-Cookie"); len(c) != 1 || c[0] != "theirs=1" {
		t.Errorf("cookies = %q", c)
	}
	if cc := r.Header.Get("Cache-Control"); cc != "max-age=60, private" {
		t.Errorf("Cache-Control = %q", cc)
	}
	vary := strings.Join(r.Header.Values("Vary"), ",")
	if r.Header.Get("X-Content-Type-Options") != "nosniff" || !strings.Contains(vary, "Cookie") ||
		!strings.Contains(r.Header.Get("Content-Security-Policy"), "sandbox") {
		t.Errorf("headers = %v", r.Header)
	}
	if r.Trailer.Get("X-Sum") != "7" || r.Trailer.Get("Set-Cookie") != "" {
		t.Errorf("trailers = %v", r.Trailer)
	}
	if l := r.Header.Get("Location"); l != "/api/next" {
		t.Errorf("Location = %q, want the route's own", l)
	}
	if b.Cookie() != before {
		t.Error("the session cookie changed")
	}
}

// CS5, HT7: preflights, limits, time-outs and upstreams that are down.
func TestLimitsAndOutagesOfUpstreams(t *testing.T) {
	g := world.New(t, "")
	b := g.Browser()
	b.Login()
	pre := b.Do(http.MethodOptions, "/api/x", nil, "Origin", "https://evil.example", "Access-Control-Request-Method", "GET", "X-CSRF", "")
	if pre.StatusCode != http.StatusNoContent || pre.Header.Get("Access-Control-Allow-Origin") != "" {
		t.Errorf("preflight = %d %v", pre.StatusCode, pre.Header)
	}
	b.Do(http.MethodPost, "/api/x", strings.NewReader(strings.Repeat("x", 70_000))).
		Want(t, http.StatusRequestEntityTooLarge, "request_too_large")
	if n := len(g.API.Requests()); n != 0 {
		t.Errorf("requests at the API = %d, want 0", n)
	}
	b.Do(http.MethodPost, "/api/x", io.MultiReader(strings.NewReader(strings.Repeat("x", 70_000)))).
		Want(t, http.StatusRequestEntityTooLarge, "request_too_large")
	b.Get("/dead/x").Want(t, http.StatusBadGateway, "upstream_unreachable")
	g.API.Respond(func(_ http.ResponseWriter, r *http.Request) {
		// On a slow machine the request whose body was too large may arrive only now. A handler that does not read
		// its body is not told that the caller has gone.
		if _, err := io.Copy(io.Discard, r.Body); err == nil {
			<-r.Context().Done()
		}
	})
	b.Get("/api/slow").Want(t, http.StatusGatewayTimeout, "upstream_timeout")
	g.API.Respond(func(w http.ResponseWriter, _ *http.Request) { // the timeout is to the first byte alone
		for range 3 {
			_, _ = io.WriteString(w, "tick\n")
			w.(http.Flusher).Flush()
			time.Sleep(600 * time.Millisecond)
		}
	})
	if r := b.Get("/api/stream"); r.Text != "tick\ntick\ntick\n" {
		t.Errorf("stream = %q", r.Text)
	}
}

// RN10, RN11: an API's 401 that blames the token is one renewal and one retry; any other is passed on.
func TestRejectedTokenIsRenewedOnce(t *testing.T) {
	g := world.New(t, "")
	b := g.Browser()
	b.Login()
	first := ""
	g.API.Respond(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		if first == "" {
			first = r.Header.Get("Authorization")
		}
		if r.Header.Get("Authorization") == first {
			w.Header().Set("WWW-Authenticate", `Basic realm="x", bEARER realm="x", error="invalid_token"`)
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		_, _ = w.Write(append([]byte("again: "), body...))
	})
	if r := b.Do(http.MethodPost, "/api/x", strings.NewReader("hello")); r.StatusCode != http.StatusOK || r.Text != "again: hello" {
		t.Errorf("after the renewal = %d %q", r.StatusCode, r.Text)
	}
	for _, challenge := range []string{`Bearer error="insufficient_scope"`, `DPoP error="use_dpop_nonce"`, "Basic"} {
		g.API.Respond(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("WWW-Authenticate", challenge)
			w.WriteHeader(http.StatusUnauthorized)
		})
		if r := b.Get("/api/x"); r.StatusCode != http.StatusUnauthorized || r.Header.Get("Content-Type") == "application/problem+json" {
			t.Errorf("%s = %d, want it passed on", challenge, r.StatusCode)
		}
	}
	if n := len(g.OP.Grants("refresh_token")); n != 1 {
		t.Errorf("renewals = %d, want 1", n)
	}
}

// WS1, WS4: a WebSocket needs our origin and a session, carries the token, and ends with the session.
func TestWebSocketLivesAndDiesWithTheSession(t *testing.T) {
	g := world.New(t, "")
	b := g.Browser()
	g.API.Respond(func(w http.ResponseWriter, r *http.Request) {
		c, err := websocket.Accept(w, r, &websocket.AcceptOptions{InsecureSkipVerify: true})
		if err != nil {
			return
		}
		defer c.CloseNow()
		for {
			kind, msg, err := c.Read(r.Context())
			if err != nil || c.Write(r.Context(), kind, msg) != nil {
				return
			}
		}
	})
	dial := func(origin string) (*websocket.Conn, int) {
		c, res, err := websocket.Dial(t.Context(), g.Origin+"/api/echo", &websocket.DialOptions{
			HTTPClient: b.Client, HTTPHeader: http.Header{"Origin": {origin}},
		})
		if err != nil {
			return nil, res.StatusCode
		}
		return c, res.StatusCode
	}
	if _, status := dial(g.Origin); status != http.StatusUnauthorized {
		t.Errorf("without a session = %d, want 401", status)
	}
	b.Login()
	b.Client.Timeout = 0
	for _, origin := range []string{
		"", "null", "http://evil.example", g.Origin + ".evil.example",
		strings.Replace(g.Origin, "http", "https", 1),
	} {
		if _, status := dial(origin); status != http.StatusForbidden {
			t.Errorf("with Origin %q = %d, want 403", origin, status)
		}
	}
	c, status := dial(g.Origin)
	if c == nil {
		t.Fatalf("handshake = %d", status)
	}
	defer c.CloseNow()
	if err := c.Write(t.Context(), websocket.MessageText, []byte("hi")); err != nil {
		t.Fatal(err)
	}
	if _, msg, err := c.Read(t.Context()); err != nil || string(msg) != "hi" {
		t.Fatalf("echo = %q, %v", msg, err)
	}
	all := g.API.Requests()
	if h := all[len(all)-1].Header; !strings.HasPrefix(h.Get("Authorization"), "Bearer ") || h.Get("Cookie") != "" {
		t.Errorf("handshake at the API = %v", h)
	}
	closed := make(chan error, 1)
	go func() { _, _, err := c.Read(t.Context()); closed <- err }()
	b.Do(http.MethodPost, "/bff/logout", nil)
	select {
	case err := <-closed:
		if err == nil {
			t.Error("a message came after the logout")
		}
	case <-time.After(time.Second):
		t.Error("the WebSocket is open a second after the logout")
	}
}

// D4: listeners hear of the end with its reason, and open answers are cut.
func TestEventsTellOfTheEnd(t *testing.T) {
	g := world.New(t, "")
	b := g.Browser()
	b.Login()
	b.Client.Timeout = 0
	res, err := b.Client.Do(world.MustRequest(t, g.Origin+"/bff/events", "Accept", "text/event-stream"))
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	lines := bufio.NewScanner(res.Body)
	var got []string
	for lines.Scan() {
		if lines.Text() == "" {
			continue
		}
		got = append(got, lines.Text())
		if len(got) == 2 {
			g.Browser().Backchannel(g.OP.LogoutToken(world.BySub("alice")))
		}
	}
	text := strings.Join(got, "\n")
	const first = "event: session\ndata: {\"authenticated\":true,\"subject\":\"alice\""
	const last = "event: ended\ndata: {\"reason\":\"provider_logout\"}\nid: ended"
	if !strings.HasPrefix(text, first) || !strings.HasSuffix(text, last) {
		t.Errorf("events:\n%s", text)
	}
}

// HT1–HT4: what could be framed in two ways is refused, or its connection is closed behind it.
func TestAmbiguousFramingIsRefused(t *testing.T) {
	g := world.New(t, "")
	b := g.Browser()
	for name, request := range map[string]string{
		"two lengths":     "Content-Length: 3\r\nContent-Length: 4\r\n\r\nabcd",
		"a signed length": "Content-Length: +3\r\n\r\nabc",
		"a listed length": "Content-Length: 3, 4\r\n\r\nabcd",
		"a hex length":    "Content-Length: 0x3\r\n\r\nabc",
		"not chunked":     "Transfer-Encoding: gzip\r\n\r\nabc",
		"a spaced colon":  "X-A : 1\r\n\r\n",
		"a folded line":   "X-A: 1\r\n 2\r\n\r\n",
		"NUL":             "X-A: 1\x002\r\n\r\n",
		"two hosts":       "Host: localhost\r\n\r\n",
	} {
		answer := raw(b, "POST /open HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n"+request)
		if !strings.HasPrefix(answer, "HTTP/1.1 400") && !strings.HasPrefix(answer, "HTTP/1.1 501") && name != "a folded line" {
			t.Errorf("%s = %.60q, want 400", name, answer)
		}
	}
	smuggled := raw(b, "POST /open HTTP/1.1\r\nHost: localhost\r\nContent-Length: 60\r\n"+
		"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\nGET /open/smuggled HTTP/1.1\r\nHost: localhost\r\n\r\n")
	if strings.Count(smuggled, "HTTP/1.1 ") > 1 {
		t.Errorf("a request behind CL and TE was answered: %q", smuggled)
	}
}

// CS11, CS7: a refused request costs no renewal and counts as no activity, and fetch-metadata wants proof.
func TestRefusedRequestsCostNothing(t *testing.T) {
	g := world.New(t, "  idle_timeout: 1s\n  max_staleness: 0s")
	g.OP.SetTokenLife(time.Second)
	b := g.Browser()
	b.Login()
	for deadline := time.Now().Add(1300 * time.Millisecond); time.Now().Before(deadline); time.Sleep(100 * time.Millisecond) {
		b.Get("/api/x", "X-CSRF", "").Want(t, http.StatusForbidden, "csrf")
	}
	b.Get("/bff/user").Want(t, http.StatusUnauthorized, "session_expired")
	if n := len(g.OP.Grants("refresh_token")); n != 0 || len(g.API.Requests()) != 0 {
		t.Errorf("renewals = %d, calls = %d; want none", n, len(g.API.Requests()))
	}
	b.Login()
	for _, header := range [][]string{
		{"X-CSRF", "", "Sec-Fetch-Site", "cross-site"},
		{"X-CSRF", "", "Origin", "https://evil.example"},
	} {
		b.Get("/meta/x", header...).Want(t, http.StatusForbidden, "csrf")
	}
	b.Get("/meta/x", "X-CSRF", "", "Sec-Fetch-Site", "same-origin").Want(t, http.StatusOK, "")
	b.Get("/meta/x", "X-CSRF", "", "Origin", g.Origin, "X-HTTP-Method-Override", "DELETE").Want(t, http.StatusOK, "")
}

// CS2, CS3: a route with csrf: fetch-metadata, and our own endpoints, go by one judge. WebKit marks a download that a
// link asks for by a Referer alone, or not at all.
func TestMarksCountAlikeAtRoutesAndAtOurEndpoints(t *testing.T) {
	g := world.New(t, "")
	b := g.Browser()
	b.Login()
	for name, tc := range map[string]struct {
		marks     []string
		get, post int // at the route, without X-CSRF
		auth      int
		user      int // with X-CSRF
	}{
		"no mark":             {nil, 200, 403, 202, 200},
		"the app's page":      {[]string{"Referer", g.Origin + "/reports"}, 200, 403, 202, 200},
		"a sibling's page":    {[]string{"Referer", "http://sibling.localhost/"}, 403, 403, 403, 200}, // X-CSRF is proof, and this no mark
		"a look-alike's page": {[]string{"Referer", g.Origin + ".evil.example/"}, 403, 403, 403, 200},
		"an image of our own": {[]string{"Sec-Fetch-Site", "same-origin", "Sec-Fetch-Mode", "no-cors"}, 200, 200, 202, 403}, // CS9
		"a word nobody knows": {[]string{"Sec-Fetch-Site", "bogus"}, 403, 403, 403, 403},
		"typed":               {[]string{"Sec-Fetch-Site", "none"}, 200, 403, 202, 200},
		"our origin":          {[]string{"Origin", g.Origin}, 200, 200, 202, 200},
	} {
		bare := append([]string{"X-CSRF", ""}, tc.marks...)
		for what, got := range map[string][2]int{
			"GET at the route":  {b.Get("/meta/x", bare...).StatusCode, tc.get},
			"HEAD at the route": {b.Do(http.MethodHead, "/meta/x", nil, bare...).StatusCode, tc.get},
			"POST at the route": {b.Do(http.MethodPost, "/meta/x", nil, bare...).StatusCode, tc.post},
			"GET /bff/auth":     {b.Get("/bff/auth", bare...).StatusCode, tc.auth},
			"GET /bff/user":     {b.Get("/bff/user", tc.marks...).StatusCode, tc.user},
			"GET, csrf: header": {b.Get("/api/x", bare...).StatusCode, 403},
			"GET, with the header": {
				b.Get("/api/x", tc.marks...).StatusCode,
				map[bool]int{true: 200, false: 403}[name != "a word nobody knows"],
			},
		} {
			if got[0] != got[1] {
				t.Errorf("%s, %s = %d, want %d", name, what, got[0], got[1])
			}
		}
	}
	link := []string{"X-CSRF", "", "Accept", "text/html", "Referer", "https://search.example/"} // of a browser without Fetch Metadata
	b.Get("/bff/auth", link...).Want(t, http.StatusAccepted, "")
}

// PR9: an upstream that breaks off or answers nonsense is 502, and nothing of it is used again.
func TestBadFramingOfAnUpstreamIs502(t *testing.T) {
	g := world.New(t, "")
	b := g.Browser()
	b.Login()
	for _, answer := range []string{
		"nonsense\r\n\r\n",
		"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello", "",
	} {
		g.API.Respond(func(w http.ResponseWriter, _ *http.Request) {
			conn, _, err := http.NewResponseController(w).Hijack()
			if err != nil {
				return
			}
			_, _ = io.WriteString(conn, answer)
			_ = conn.Close()
		})
		if r := b.Get("/api/x"); r.StatusCode != http.StatusBadGateway || !strings.Contains(r.Text, "upstream_unreachable") {
			t.Errorf("%q = %d %s, want 502", answer, r.StatusCode, r.Text)
		}
	}
}
