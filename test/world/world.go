// Package world is a whole service for tests, between a scripted provider and an API that records
// the requests it gets, with browsers that keep cookies. The service is built as the command builds
// it.
package world

import (
	"fmt"
	"log/slog"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/cloakroom/cloakroom/config"
	"github.com/cloakroom/cloakroom/server"
	"github.com/cloakroom/cloakroom/test/providers/odd"
	"github.com/cloakroom/cloakroom/test/servers"
	"github.com/cloakroom/cloakroom/test/world/parts"
)

// A World is a real server between a scripted provider and an API that records the requests it
// gets.
type World struct {
	T      *testing.T
	OP     *odd.Provider
	API    *API
	Origin string
	Admin  string
	Port   int    // of origin
	Dir    string // of the app's files
	DB     string // the store's file
	Log    *parts.Log
	Now    func() time.Time // of servers that are started from here on; nil: time.Now
}

// AdminToken is the token of the admin API.
const AdminToken = "an-admin-token"

// New runs a server until the test ends. sessionYAML are more lines of the session section,
// indented by two.
func New(t *testing.T, sessionYAML string, options ...odd.Option) *World {
	t.Helper()
	g := NewStage(t, options...)
	g.Start(g.Port, "sqlite:"+g.DB, sessionYAML)
	return g
}

// NewStage returns a World without its server.
func NewStage(t *testing.T, options ...odd.Option) *World {
	t.Helper()
	g := &World{T: t, OP: odd.New(t, options...), API: &API{}, Log: &parts.Log{}}
	g.API.Server = httptest.NewServer(g.API)
	t.Cleanup(g.API.Close)
	g.Port = servers.FreePort(t) // last, so that nobody else here is given it
	g.Dir = t.TempDir()
	g.DB = filepath.Join(g.Dir, "s.db")
	WriteFile(t, filepath.Join(g.Dir, "index.html"), "<!doctype html><title>app</title>")
	g.Origin = fmt.Sprintf("http://localhost:%d", g.Port)
	return g
}

// Config returns the configuration of a server of this World.
func (g *World) Config(port int, store, sessionYAML string) *config.Config {
	g.T.Helper()
	text := fmt.Sprintf(`
server:
  {public_url: %q, listen: "127.0.0.1:%d", admin_listen: "127.0.0.1:0",
  shutdown_timeout: 3s, drain_delay: 0s, max_request_body: 64KiB}
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
`, g.Origin, port, AdminToken, store, sessionYAML, g.OP.Issuer(), g.OP.Client.ID, g.OP.Client.Secret,
		g.API.URL, g.API.URL+"/base/", g.API.URL, g.API.URL, g.Dir)
	return Parse(g.T, text)
}

// Start runs a server until the test ends.
func (g *World) Start(port int, store, sessionYAML string) *server.Server {
	g.T.Helper()
	return g.Run(g.Config(port, store, sessionYAML))
}

// Run is Start with a configuration that a test may have changed.
func (g *World) Run(cfg *config.Config) *server.Server {
	g.T.Helper()
	g.T.Cleanup(g.WantNoSecretInLog) // once the server has stopped
	s := Serve(g.T, cfg, g.options())
	g.Admin = "http://" + s.AdminAddr().String()
	return s
}

// Launch is Run for a test that stops the server itself.
func (g *World) Launch(cfg *config.Config) (s *server.Server, stop func() error) {
	g.T.Helper()
	s, stop = launch(g.T, cfg, g.options())
	g.Admin = "http://" + s.AdminAddr().String()
	return s, stop
}

func (g *World) options() server.Options {
	return server.Options{
		Logger: slog.New(slog.NewJSONHandler(g.Log, &slog.HandlerOptions{Level: slog.LevelDebug})),
		Now:    g.Now,
	}
}

// WantNoSecretInLog is LG1: no token of the provider is in the log, which is at its most verbose
// level.
func (g *World) WantNoSecretInLog() {
	log := g.Log.String()
	for _, grant := range append(g.OP.Grants("authorization_code"), g.OP.Grants("refresh_token")...) {
		for _, s := range []string{grant.Issued, g.OP.Client.Secret + "\"", AdminToken} {
			if s != "" && strings.Contains(log, s) {
				g.T.Errorf("the log shows a secret of %d bytes", len(s))
			}
		}
	}
}

// WriteFile writes a file for the test.
func WriteFile(t *testing.T, path, content string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
}
