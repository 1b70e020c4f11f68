package server_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"

	"github.com/cloakroom/cloakroom/server"
	"github.com/cloakroom/cloakroom/test/providers/odd"
	"github.com/cloakroom/cloakroom/test/servers"
	"github.com/cloakroom/cloakroom/test/world"
)

// A front is a server with an https public origin, as seen by the reverse proxy that terminates
// TLS.
type front struct {
	t      *testing.T
	listen string
	seen   chan *http.Request
}

func newFront(t *testing.T, ops ...*odd.Provider) *front {
	t.Helper()
	f := &front{t: t, listen: fmt.Sprintf("127.0.0.1:%d", servers.FreePort(t)), seen: make(chan *http.Request, 10)}
	api := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { f.seen <- r.Clone(context.Background()) }))
	t.Cleanup(api.Close)
	text := fmt.Sprintf(`
server:
  {public_url: "https://app.example.com", listen: %q, admin_listen: "127.0.0.1:0",
  trusted_proxies: [127.0.0.1], shutdown_timeout: 3s, drain_delay: 0s}
session: {store: "sqlite:%s", cookie: {same_site: lax}}
routes: [{path: /api/, upstream: %q}]
providers:
`, f.listen, filepath.Join(t.TempDir(), "s.db"), api.URL)
	file := []byte(text)
	for i, op := range ops {
		file = fmt.Appendf(file, "  - {id: op%d, issuer: %q, client_id: %q, client_secret: %q}\n",
			i, op.Issuer(), op.Client.ID, op.Client.Secret)
	}
	world.Serve(t, world.Parse(t, string(file)), server.Options{})
	return f
}

func (f *front) get(path string, header ...string) *world.Reply {
	f.t.Helper()
	return f.getAt("app.example.com", path, header...)
}

// getAt sends a request for a host name.
func (f *front) getAt(host, path string, header ...string) *world.Reply {
	f.t.Helper()
	req, err := http.NewRequestWithContext(f.t.Context(), http.MethodGet, "http://"+f.listen+path, nil)
	if err != nil {
		f.t.Fatal(err)
	}
	req.Host = host
	req.Header.Set("X-CSRF", "1")
	for i := 0; i < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	res, err := http.DefaultTransport.RoundTrip(req)
	if err != nil {
		f.t.Fatal(err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		f.t.Fatal(err)
	}
	return &world.Reply{Response: res, Text: string(body)}
}

// login returns the session cookie as a Cookie header.
func (f *front) login(op *odd.Provider, id string) string {
	f.t.Helper()
	begin := f.get("/bff/login?provider=" + id)
	attempt, _, _ := strings.Cut(begin.Header.Get("Set-Cookie"), ";")
	back := f.get(op.Login(begin.Header.Get("Location")).RequestURI(), "Cookie", attempt)
	if back.StatusCode != http.StatusFound {
		f.t.Fatalf("callback = %d %s", back.StatusCode, back.Text)
	}
	for _, line := range append(begin.Header["Set-Cookie"], back.Header["Set-Cookie"]...) { // SC1, SC2
		if !strings.HasPrefix(line, "__Host-Http-cloakroom") ||
			!strings.Contains(line, "; Secure") || !strings.Contains(line, "; HttpOnly") ||
			!strings.Contains(line, "; Path=/;") || strings.Contains(line, "Domain") {
			f.t.Errorf("cookie on https: %s", line)
		}
	}
	all := back.Header["Set-Cookie"]
	session, _, _ := strings.Cut(all[len(all)-1], ";")
	return session
}

// SC1, SC2, SC14, BR3, PX10: on https the cookies are bound to the host, and cookies without the
// prefix are ignored.
func TestHTTPSBindsCookiesToTheHost(t *testing.T) {
	op := odd.New(t)
	f := newFront(t, op)
	session := f.login(op, "op0")
	r := f.get("/bff/user", "Cookie", session)
	r.Want(t, http.StatusOK, "")
	if hsts := r.Header.Get("Strict-Transport-Security"); !strings.Contains(hsts, "max-age=31536000") {
		t.Errorf("HSTS = %q", hsts)
	}
	unprefixed := strings.TrimPrefix(session, "__Host-Http-")
	for _, cookie := range []string{ // SC6, SC7, SC14
		unprefixed, "__Host-" + unprefixed, "__host-http-" + unprefixed,
		"\u2002" + session, "=" + session,
		"$Version=1; " + unprefixed, strings.Replace(session, "=", `="`, 1) + `"`,
	} {
		f.get("/bff/user", "Cookie", cookie).Want(t, http.StatusUnauthorized, "not_authenticated")
	}
	f.get("/bff/user", "Cookie", "__Host-Http-cloakroom=tossed; "+session).Want(t, http.StatusOK, "")
	f.get("/api/x", "Cookie", session, "X-Forwarded-For", "203.0.113.9", "X-Forwarded-Proto", "http").Want(t, http.StatusOK, "")
	seen := <-f.seen
	if seen.Header.Get("X-Forwarded-For") != "203.0.113.9, 127.0.0.1" ||
		seen.Header.Get("X-Forwarded-Proto") != "https" ||
		seen.Header.Get("X-Forwarded-Host") != "app.example.com" {
		t.Errorf("forwarded = %v", seen.Header)
	}
	to := f.get("/bff/login", "X-Forwarded-Host", "evil.example").Header.Get("Location")
	if !strings.Contains(to, "redirect_uri=https%3A%2F%2Fapp.example.com%2F") { // LS6
		t.Errorf("authorization request = %s", to)
	}
}

// PX10, HT4: trusted proxies send host names of their own, and say which one the browser used.
func TestTrustedProxiesSayWhichHostTheBrowserAskedFor(t *testing.T) {
	f := newFront(t, odd.New(t))
	for name, tc := range map[string]struct {
		want   int
		header []string
	}{
		"a list, the inner name last": {401, []string{"X-Forwarded-Host", "app.example.com, edge.internal"}},
		"a list along a chain of addresses": {401, []string{
			"X-Forwarded-Host", "app.example.com, edge.internal", "X-Forwarded-For", "203.0.113.9, 127.0.0.1",
		}},
		"Forwarded":    {401, []string{"Forwarded", "for=203.0.113.9;host=app.example.com;proto=https"}},
		"another host": {421, []string{"X-Forwarded-Host", "evil.example, app.example.com"}},
		"another host, planted over": {421, []string{
			"X-Forwarded-Host", "app.example.com, evil.example", "X-Forwarded-For", "203.0.113.9",
		}},
		"another host, by Forwarded": {421, []string{
			"Forwarded", "host=app.example.com;for=10.0.0.1, host=evil.example;for=203.0.113.9",
		}},
		"nothing": {421, nil},
	} {
		if r := f.getAt("edge.internal", "/bff/user", tc.header...); r.StatusCode != tc.want {
			t.Errorf("%s: %d, want %d", name, r.StatusCode, tc.want)
		}
	}
	g := world.New(t, "") // which trusts no proxy
	for name, value := range map[string]string{"X-Forwarded-Host": "localhost", "Forwarded": "host=localhost"} {
		req := world.MustRequest(t, g.Origin+"/bff/user", name, value)
		req.Host = "edge.internal"
		if r := g.Browser().Send(req); r.StatusCode != http.StatusMisdirectedRequest {
			t.Errorf("%s of nobody trusted: %d, want 421", name, r.StatusCode)
		}
	}
}

// ID14, CB7: one subject at two providers is two users, and a token of one provider is not accepted
// as the other's.
func TestTheSameSubjectAtTwoProvidersIsTwoUsers(t *testing.T) {
	one, two := odd.New(t), odd.New(t)
	f := newFront(t, one, two)
	a, b := f.login(one, "op0"), f.login(two, "op1")
	if r := f.get("/bff/sessions", "Cookie", a); strings.Count(r.Text, `"id"`) != 1 {
		t.Errorf("alice of the first provider sees %s", r.Text)
	}
	form := "logout_token=" + one.LogoutToken(world.BySub("alice"))
	for id, want := range map[string]int{"op1": http.StatusBadRequest, "op0": http.StatusOK} { // BC3
		req, err := http.NewRequestWithContext(
			t.Context(), http.MethodPost, "http://"+f.listen+"/bff/backchannel/"+id, strings.NewReader(form),
		)
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		res, err := http.DefaultTransport.RoundTrip(req)
		if err != nil {
			t.Fatal(err)
		}
		_ = res.Body.Close()
		if res.StatusCode != want {
			t.Errorf("the first provider's logout token at %s = %d, want %d", id, res.StatusCode, want)
		}
	}
	f.get("/bff/user", "Cookie", a).Want(t, http.StatusUnauthorized, "")
	f.get("/bff/user", "Cookie", b).Want(t, http.StatusOK, "")
	chooser := f.get("/bff/login?returnUrl=/x", "Accept", "text/html")
	if chooser.StatusCode != http.StatusOK || strings.Count(chooser.Text, "provider=op") != 2 {
		t.Errorf("chooser = %d %s", chooser.StatusCode, chooser.Text)
	}
}
