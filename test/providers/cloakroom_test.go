package providers

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/cloakroom/cloakroom/config"
	"github.com/cloakroom/cloakroom/demo/sampleapi"
	"github.com/cloakroom/cloakroom/secret"
	"github.com/cloakroom/cloakroom/server"
	"github.com/cloakroom/cloakroom/test/servers"
	"github.com/cloakroom/cloakroom/test/world"
)

// A rig is a real server with a browser, a certified provider, and an API that introspects every
// access token.
type rig struct {
	t   *testing.T
	op  *OIDCProvider
	app string // the public origin
}

type rigOptions struct {
	client            map[string]any // on top of the usual registration; nil takes a member away
	providerYAML      string         // more lines for the provider, indented by four
	accessTokenSecond int            // lifetime; 0 means 60
}

func newRig(t *testing.T, o rigOptions) *rig {
	t.Helper()
	port := servers.FreePort(t)
	g := &rig{t: t, app: "http://localhost:" + strconv.Itoa(port)}
	client := map[string]any{
		"client_id": "app", "client_secret": testSecret,
		"grant_types":               []string{"authorization_code", "refresh_token", "client_credentials"},
		"redirect_uris":             []string{g.app + "/bff/callback/main"},
		"post_logout_redirect_uris": []string{g.app + "/bff/logout/callback/main"},
		"backchannel_logout_uri":    g.app + "/bff/backchannel/main", "backchannel_logout_session_required": true,
	}
	for name, value := range o.client {
		if client[name] = value; value == nil {
			delete(client, name)
		}
	}
	api := map[string]any{
		"client_id": "api", "client_secret": testSecret,
		"redirect_uris": []string{}, "response_types": []string{}, "grant_types": []string{},
	}
	ttl := o.accessTokenSecond
	if ttl == 0 {
		ttl = 60
	}
	g.op = StartOIDCProvider(t, OIDCProviderOptions{Clients: []map[string]any{client, api}, TTL: map[string]int{"AccessToken": ttl}})
	upstream := httptest.NewServer(sampleapi.New(sampleapi.Introspection{
		Endpoint: g.op.Issuer + "/token/introspection", ClientID: "api", ClientSecret: secret.New(testSecret),
	}))
	t.Cleanup(upstream.Close)
	g.serve(port, upstream.URL, o.providerYAML)
	return g
}

// serve runs a server with a store in a file until the test ends, and fails the test if it does not
// stop cleanly.
func (g *rig) serve(port int, upstream, providerYAML string) {
	g.t.Helper()
	spa := g.t.TempDir()
	if err := os.WriteFile(filepath.Join(spa, "index.html"), []byte("<!doctype html><title>app</title>"), 0o600); err != nil {
		g.t.Fatal(err)
	}
	service := fmt.Sprintf("  - {path: /service/, upstream: %q, token: client}", upstream)
	if strings.Contains(providerYAML, "client_auth: none") {
		service = "" // only a client that authenticates gets a token of its own (RFC 6749 §4.4)
	}
	text := fmt.Sprintf(`
server: {public_url: %q, listen: "127.0.0.1:%d", admin_listen: "127.0.0.1:0", shutdown_timeout: 3s, drain_delay: 0s}
session: {store: %q}
providers:
  - id: main
    name: oidc-provider
    issuer: %q
    client_id: app
%s
routes:
  - {path: /api/, upstream: %q, token: user}
%s
spa: {dir: %q}
`, g.app, port, "sqlite:"+filepath.Join(g.t.TempDir(), "store.db"), g.op.Issuer, providerYAML, upstream, service, spa)
	cfg, err := config.Parse("test.yaml", []byte(text), func(name string) (string, bool) { return testSecret, name == "CLIENT_SECRET" })
	if err != nil {
		g.t.Fatal(err)
	}
	logger := slog.New(slog.NewTextHandler(g.t.Output(), nil))
	world.Serve(g.t, cfg, server.Options{Logger: logger})
}

// secretYAML configures client authentication by a secret.
const secretYAML = "    client_secret: ${CLIENT_SECRET}"

// login fills in the provider's forms and must end on the app's page.
func (g *rig) login(b *Browser, user string) {
	g.t.Helper()
	page := b.Through(g.op, b.Visit(g.app+"/bff/login?returnUrl=/after"), user)
	if page.Status != http.StatusOK || page.URL.Path != "/after" {
		g.t.Fatalf("the login of %s ended at %s with %d: %s", user, page.URL.Path, page.Status, page.Body)
	}
}

// user returns /bff/user as one object, or nil if nobody is logged in.
func (g *rig) user(b *Browser) map[string]any {
	g.t.Helper()
	a := b.Fetch(http.MethodGet, g.app+"/bff/user?format=object", "")
	switch a.Status {
	case http.StatusUnauthorized:
		return nil
	case http.StatusOK:
		return read[map[string]any](g.t, a)
	}
	g.t.Fatalf("/bff/user = %d: %s", a.Status, a.Body)
	return nil
}

// whoami returns what the API received of a call through the proxy.
type whoami struct {
	Subject string
	Token   struct{ Fingerprint, Scope string }
}

func (g *rig) call(b *Browser) whoami {
	g.t.Helper()
	a := b.Fetch(http.MethodGet, g.app+"/api/whoami", "")
	if a.Status != http.StatusOK {
		g.t.Fatalf("/api/whoami = %d: %s", a.Status, a.Body)
	}
	return read[whoami](g.t, a)
}

func read[T any](t *testing.T, a *Answer) T {
	t.Helper()
	var v T
	if err := json.Unmarshal([]byte(a.Body), &v); err != nil {
		t.Fatalf("read %q: %v", a.Body, err)
	}
	return v
}

// eventually waits for asynchronous work: deliveries of the outbox, renewals.
func eventually(t *testing.T, what string, holds func() bool) {
	t.Helper()
	for deadline := time.Now().Add(15 * time.Second); !holds(); time.Sleep(50 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("waited 15 s for %s", what)
		}
	}
}

// logout follows the logout link of /bff/user, as an app does, and the provider's form.
func (g *rig) logout(b *Browser) *Answer {
	g.t.Helper()
	link, ok := g.user(b)["bff:logout_url"].(string)
	if !ok || !strings.HasPrefix(link, "/bff/logout?sid=") {
		g.t.Fatalf("bff:logout_url = %q", link)
	}
	return b.Through(g.op, b.Visit(g.app+link+"&returnUrl="+url.QueryEscape("/bye")), "")
}
