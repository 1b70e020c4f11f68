package server_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/cloakroom/cloakroom/config"
	"github.com/cloakroom/cloakroom/server"
	"github.com/cloakroom/cloakroom/test/providers/odd"
	"github.com/cloakroom/cloakroom/test/servers"
)

// A rig is a real server between a scripted provider and an API that records what it is sent.
type rig struct {
	t      *testing.T
	op     *odd.Provider
	api    *api
	origin string
	admin  string
	port   int    // of origin
	dir    string // of the app's files
	db     string // the store's file
	log    *safeBuffer
	now    func() time.Time // of servers that are started from here on; nil: time.Now
}

// api is the upstream: it records, and answers as it is told to.
type api struct {
	*httptest.Server
	mu     sync.Mutex // guards seen and answer
	seen   []*http.Request
	answer http.HandlerFunc
}

func (a *api) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	a.mu.Lock()
	a.seen = append(a.seen, r.Clone(context.Background()))
	answer := a.answer
	a.mu.Unlock()
	if answer != nil {
		answer(w, r)
		return
	}
	_, _ = io.WriteString(w, "ok")
}

func (a *api) respond(h http.HandlerFunc) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.answer = h
}

func (a *api) requests() []*http.Request {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.seen
}

// safeBuffer may be written to while it is read.
type safeBuffer struct {
	mu sync.Mutex // guards b
	b  bytes.Buffer
}

func (s *safeBuffer) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.Write(p)
}

func (s *safeBuffer) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.String()
}

const adminToken = "an-admin-token"

// newRig runs a server until the test ends. sessionYAML are more lines of the session section, indented
// by two.
func newRig(t *testing.T, sessionYAML string, options ...odd.Option) *rig {
	t.Helper()
	g := newStage(t, options...)
	g.start(g.port, "sqlite:"+g.db, sessionYAML)
	return g
}

// newStage is all of a rig but its server.
func newStage(t *testing.T, options ...odd.Option) *rig {
	t.Helper()
	g := &rig{t: t, op: odd.New(t, options...), api: &api{}, log: &safeBuffer{}}
	g.api.Server = httptest.NewServer(g.api)
	t.Cleanup(g.api.Close)
	g.port = servers.FreePort(t) // last, so that nobody else here is given it
	g.dir = t.TempDir()
	g.db = filepath.Join(g.dir, "s.db")
	write(t, filepath.Join(g.dir, "index.html"), "<!doctype html><title>app</title>")
	g.origin = fmt.Sprintf("http://localhost:%d", g.port)
	return g
}

// config is what a server of the rig is told.
func (g *rig) config(port int, store, sessionYAML string) *config.Config {
	g.t.Helper()
	text := fmt.Sprintf(`
server: {public_url: %q, listen: "127.0.0.1:%d", admin_listen: "127.0.0.1:0", shutdown_timeout: 3s, drain_delay: 0s, max_request_body: 64KiB}
admin: {token: %s}
log: {level: debug}
session:
  store: %q
%s
providers:
  - {id: main, issuer: %q, client_id: %q, client_secret: %q, scopes: [openid, profile, email, offline_access]}
routes:
  - {path: /api/, upstream: %q, timeout: 1s, methods: [GET, HEAD, POST, OPTIONS]}
  - {path: /optional/, upstream: %q, token: optional}
  - {path: /open, upstream: %q, token: none, csrf: none}
  - {path: /meta/, upstream: %q, csrf: fetch-metadata}
  - {path: /dead/, upstream: "http://127.0.0.1:1"}
spa: {dir: %q}
`, g.origin, port, adminToken, store, sessionYAML, g.op.Issuer(), g.op.Client.ID, g.op.Client.Secret,
		g.api.URL, g.api.URL+"/base/", g.api.URL, g.api.URL, g.dir)
	cfg, err := config.Parse("test.yaml", []byte(text), os.LookupEnv)
	if err != nil {
		g.t.Fatal(err)
	}
	return cfg
}

// start runs a server until the test ends.
func (g *rig) start(port int, store, sessionYAML string) *server.Server {
	g.t.Helper()
	return g.run(g.config(port, store, sessionYAML))
}

// run is start with a configuration that a test may have changed.
func (g *rig) run(cfg *config.Config) *server.Server {
	g.t.Helper()
	s, stop := g.launch(cfg)
	g.t.Cleanup(func() {
		if err := stop(); err != nil {
			g.t.Errorf("the server did not stop cleanly: %v", err)
		}
		g.wantNoSecretInLog()
	})
	return s
}

// launch is run for a test that stops the server itself.
func (g *rig) launch(cfg *config.Config) (s *server.Server, stop func() error) {
	g.t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	s, err := server.New(ctx, cfg, server.Options{
		Logger: slog.New(slog.NewJSONHandler(g.log, &slog.HandlerOptions{Level: slog.LevelDebug})),
		Now:    g.now,
	})
	if err != nil {
		cancel()
		g.t.Fatal(err)
	}
	g.admin = "http://" + s.AdminAddr().String()
	ended := make(chan error, 1)
	go func() { ended <- s.Run(ctx) }()
	return s, func() error {
		cancel()
		return <-ended
	}
}

// wantNoSecretInLog is LG1: whatever a test did, no token of the provider is in the log, which is at
// its most talkative.
func (g *rig) wantNoSecretInLog() {
	log := g.log.String()
	for _, grant := range append(g.op.Grants("authorization_code"), g.op.Grants("refresh_token")...) {
		for _, s := range []string{grant.Issued, g.op.Client.Secret + "\"", adminToken} {
			if s != "" && strings.Contains(log, s) {
				g.t.Errorf("the log shows a secret of %d bytes", len(s))
			}
		}
	}
}

func write(t *testing.T, path, content string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
}

// A browser keeps cookies and follows nothing by itself.
type browser struct {
	t      *testing.T
	g      *rig
	client *http.Client
}

func (g *rig) browser() *browser {
	jar, err := cookiejar.New(nil)
	if err != nil {
		g.t.Fatal(err)
	}
	return &browser{g.t, g, &http.Client{
		Jar: jar, Timeout: time.Minute,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
}

// A reply is a response that was read.
type reply struct {
	*http.Response
	body string
}

// do sends a request; headers are pairs. X-CSRF: 1 is sent unless another value is given ("" for none).
func (b *browser) do(method, path string, body io.Reader, header ...string) *reply {
	b.t.Helper()
	target := path
	if strings.HasPrefix(path, "/") {
		target = b.g.origin + path
	}
	req, err := http.NewRequestWithContext(b.t.Context(), method, target, body)
	if err != nil {
		b.t.Fatal(err)
	}
	req.Header.Set("X-CSRF", "1")
	for i := 0; i < len(header); i += 2 {
		if header[i+1] == "" {
			req.Header.Del(header[i])
			continue
		}
		req.Header.Set(header[i], header[i+1])
	}
	return b.send(req)
}

func (b *browser) send(req *http.Request) *reply {
	b.t.Helper()
	res, err := b.client.Do(req)
	if err != nil {
		b.t.Fatalf("%s %s: %v", req.Method, req.URL.Path, err)
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		b.t.Fatalf("%s %s: read the answer: %v", req.Method, req.URL.Path, err)
	}
	return &reply{res, string(text)}
}

func (b *browser) get(path string, header ...string) *reply {
	b.t.Helper()
	return b.do(http.MethodGet, path, nil, header...)
}

// navigate loads a page, as a person does.
func (b *browser) navigate(path string) *reply {
	b.t.Helper()
	return b.get(path, "X-CSRF", "", "Accept", "text/html", "Sec-Fetch-Mode", "navigate", "Sec-Fetch-Dest", "document", "Sec-Fetch-Site", "same-origin")
}

// login goes the whole way and returns the callback's answer.
func (b *browser) login() *reply {
	b.t.Helper()
	begin := b.navigate("/bff/login?returnUrl=/after")
	if begin.StatusCode != http.StatusFound {
		b.t.Fatalf("login = %d: %s", begin.StatusCode, begin.body)
	}
	back := b.g.op.Login(begin.Header.Get("Location"))
	answer := b.navigate(back.RequestURI())
	if answer.StatusCode != http.StatusFound || answer.Header.Get("Location") != "/after" {
		b.t.Fatalf("callback = %d to %q: %s", answer.StatusCode, answer.Header.Get("Location"), answer.body)
	}
	return answer
}

// cookie is the session cookie the browser has; "" when none.
func (b *browser) cookie() string {
	u, err := url.Parse(b.g.origin)
	if err != nil {
		b.t.Fatal(err)
	}
	for _, c := range b.client.Jar.Cookies(u) {
		if c.Name == "cloakroom" {
			return c.Value
		}
	}
	return ""
}

func (r *reply) want(t *testing.T, status int, code string) {
	t.Helper()
	if r.StatusCode != status || code != "" && !strings.Contains(r.body, `"code":"`+code+`"`) {
		t.Errorf("%s %s = %d %s, want %d %s", r.Request.Method, r.Request.URL.Path, r.StatusCode, r.body, status, code)
	}
}

// eventually waits for what happens behind a request.
func eventually(t *testing.T, what string, holds func() bool) {
	t.Helper()
	for deadline := time.Now().Add(2 * busy); !holds(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("waited %v for %s", 2*busy, what)
		}
	}
}

func quietLog() *slog.Logger { return slog.New(slog.DiscardHandler) }
