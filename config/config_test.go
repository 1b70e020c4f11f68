package config

import (
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/cloakroom/cloakroom/proxy"
	"github.com/cloakroom/cloakroom/setting"
)

// parse reads a file that has no fault.
func parse(t *testing.T, text string) *Config {
	t.Helper()
	c, err := Parse("cloakroom.yaml", []byte(text), testEnv)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func equal[T comparable](t *testing.T, what string, got, want T) {
	t.Helper()
	if got != want {
		t.Errorf("%s = %v, want %v", what, got, want)
	}
}

func TestKeysThatAreLeftOutHaveTheirDefaults(t *testing.T) {
	c := parse(t, complete("routes: [{path: /api/, upstream: http://127.0.0.1:9000}]\n"))
	equal(t, "server.listen", c.Listen.Address, ":8080")
	equal(t, "server.admin_listen", c.Listen.Admin, "127.0.0.1:9090")
	equal(t, "server.trusted_proxies", len(c.Site.TrustedProxies), 0)
	equal(t, "server.base_path", c.Site.BasePath, "/bff")
	equal(t, "server.shutdown_timeout", c.Listen.ShutdownTimeout, 20*time.Second)
	equal(t, "server.max_request_body", c.Proxy.MaxBody, 10<<20)
	equal(t, "admin.token", c.Admin.Token.IsZero(), true)
	equal(t, "log.level", c.Log.Level, slog.LevelInfo)
	equal(t, "log.format", c.Log.Format, "json")
	equal(t, "session.store", c.Store.URL.Reveal(), "sqlite:cloakroom.db")
	equal(t, "session.keys", len(c.Keys.Keys), 0)
	equal(t, "session.lifetime", c.Session.Lifetime, 12*time.Hour)
	equal(t, "session.idle_timeout", c.Session.IdleTimeout, 30*time.Minute)
	equal(t, "session.revoke_on_backchannel", c.Revocation.RevokeOnBackchannel, true)
	equal(t, "session.max_staleness", c.Session.MaxStaleness, 2*time.Second)
	equal(t, "session.cookie.name", c.Site.CookieName, "cloakroom")
	equal(t, "session.cookie.same_site", c.Site.SameSite, http.SameSiteStrictMode)
	p := c.Providers[0]
	equal(t, "providers.name", p.Name, "main")
	equal(t, "providers.client_auth", p.ClientAuth, "client_secret_basic")
	equal(t, "providers.id_token_alg", p.IDTokenAlg, "RS256")
	equal(t, "providers.response_mode", p.ResponseMode, "query")
	equal(t, "providers.scopes", strings.Join(p.Scopes, " "), "openid profile email")
	equal(t, "providers.refresh", p.RefreshOff, false)
	equal(t, "providers.userinfo", p.Userinfo, "auto")
	equal(t, "providers.client_secret", p.ClientSecret.Reveal(), literalSecret)
	r := c.Proxy.Routes[0]
	equal(t, "routes.token", r.Token, "user")
	equal(t, "routes.csrf", r.CSRF, "header")
	equal(t, "routes.timeout", r.Timeout, 30*time.Second)
	equal(t, "routes.idle_connection_timeout", r.IdleConnectionTimeout, 4*time.Second)
	equal(t, "routes.methods", strings.Join(r.Methods, " "), "GET HEAD POST PUT PATCH DELETE")
	equal(t, "routes.shared_cache", r.SharedCache, false)
	equal(t, "spa.dir", c.SPA.Dir, "")
	equal(t, "pages", c.Pages.Dir, "")
	equal(t, "warnings", len(c.Warnings), 0)
}

func TestDefaultsOfOneItemAreNotThoseOfItsNeighbour(t *testing.T) {
	c := parse(t, complete(`routes:
  - {path: /a, upstream: http://127.0.0.1:9000, methods: [GET]}
  - {path: /b, upstream: http://127.0.0.1:9000}
`))
	c.Proxy.Routes[1].Methods[0] = "X"
	equal(t, "methods of a", strings.Join(c.Proxy.Routes[0].Methods, " "), "GET")
	equal(t, "default", proxy.DefaultRoute().Methods[0], "GET")
}

// loadExample loads the example file with what it names.
func loadExample(t *testing.T) *Config {
	t.Helper()
	text, err := os.ReadFile("../cloakroom.example.yaml")
	if err != nil {
		t.Fatal(err)
	}
	old := filepath.Join(t.TempDir(), "key")
	if err := os.WriteFile(old, []byte(strings.ToLower(testKey[:10])+testKey[10:]+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	example := filepath.Join(t.TempDir(), "cloakroom.yaml")
	there := strings.ReplaceAll(string(text), "/run/secrets/cloakroom-key-old", old)
	if err := os.WriteFile(example, []byte(there), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("CLOAKROOM_ADMIN_TOKEN", "an admin token of some length")
	t.Setenv("CLOAKROOM_KEY", testKey)
	t.Setenv("CLIENT_SECRET", literalSecret)
	t.Setenv("FORWARD_AUTH_SECRET", strings.Repeat("s", 40))
	c, err := Load(example)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestExampleLoadsWithAnEnvironment(t *testing.T) {
	c := loadExample(t)
	equal(t, "warnings", strings.Join(c.Warnings, "\n"), "")
	equal(t, "keys", len(c.Keys.Keys), 2)
	equal(t, "audience", c.Providers[0].AuthParams["audience"], "https://api.example.com")
	equal(t, "csp", c.SPA.CSP, "default-src 'self'; frame-ancestors 'none'")
	equal(t, "client route's provider", c.Proxy.Routes[1].Provider, "main")
}

// TestEveryKeyIsExplained: the reference and the example file are generated from the descriptions.
func TestEveryKeyIsExplained(t *testing.T) {
	schema(New()).Walk(func(path string, k setting.Key) {
		if k.Doc == "" || strings.HasSuffix(k.Doc, ".") {
			t.Errorf("%s: its documentation is %q, want a text without the last full stop", path, k.Doc)
		}
		_, block := k.Value.(setting.Block)
		if blocks := strings.Contains("providers routes", path); !block && !blocks && firstItem(k) < 0 {
			t.Errorf("%s: the example file has no value for it", path)
		}
	})
}

func TestDocsShowARealError(t *testing.T) {
	docs, err := os.ReadFile("../docs/configuration.md")
	if err != nil {
		t.Fatal(err)
	}
	_, section, _ := strings.Cut(string(docs), "### When something is wrong")
	_, section, _ = strings.Cut(section, "```yaml\n")
	file, section, _ := strings.Cut(section, "```\n")
	_, section, _ = strings.Cut(section, "```text\n")
	want, _, _ := strings.Cut(section, "```\n")
	_, err = Parse("cloakroom.yaml", []byte(file), func(string) (string, bool) { return "", false })
	if err == nil || err.Error()+"\n" != want {
		t.Errorf("the file in docs/configuration.md now gives:\n%v", err)
	}
}

func TestSmallestFileOfTheDocsAndReadmeLoads(t *testing.T) {
	for _, name := range []string{"../docs/configuration.md", "../README.md"} {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		_, rest, _ := strings.Cut(string(text), "```yaml\n")
		file, _, _ := strings.Cut(rest, "```\n")
		parse(t, file)
	}
}

func TestAShortLifetimeShortensTheDefaultIdleTimeout(t *testing.T) {
	c := parse(t, complete("session: {lifetime: 10m}\n"))
	equal(t, "idle_timeout", c.Session.IdleTimeout, 10*time.Minute)
	c = parse(t, complete("session: {lifetime: 10m, idle_timeout: 0}\n"))
	equal(t, "idle_timeout", c.Session.IdleTimeout, 0)
}

func TestTheOnlyProviderIssuesClientTokens(t *testing.T) {
	c := parse(t, complete("routes: [{path: /a, upstream: http://127.0.0.1:9000, token: client, scopes: [a]}]\n"))
	equal(t, "provider", c.Proxy.Routes[0].Provider, "main")
}

func TestOneFaultIsNotReportedTwice(t *testing.T) {
	_, err := Parse("f", []byte(complete(`routes: [{path: /bff, upstream: http://127.0.0.1:9090}]
server: {public_url: https://app.example.com, base_path: x, admin_listen: x}
`)), testEnv)
	if err == nil || !strings.HasPrefix(err.Error(), "the configuration has 2 faults\n") {
		t.Errorf("faults = %v, want the two in server alone", err)
	}
}

func TestLoadSaysWhichFileCannotBeRead(t *testing.T) {
	missing := filepath.Join(t.TempDir(), "none.yaml")
	if _, err := Load(missing); err == nil || !strings.Contains(err.Error(), missing) {
		t.Errorf("error = %v, want one that names %s", err, missing)
	}
	if _, err := Load(t.TempDir()); err == nil {
		t.Error("a folder was read as a file")
	}
}

// A route may reach the upstream of another one without what that one requires. The operator is
// warned at the start and by check.
func TestRoutesThatOverlapAreWarnedOf(t *testing.T) {
	c := parse(t, complete(`routes:
  - {path: /api/, upstream: http://127.0.0.1:9000}
  - {path: /base/, upstream: http://127.0.0.1:9000/base/}
  - {path: /outer/, upstream: http://127.0.0.1:9000, token: none}
`))
	const want = "(/outer/) leads to http://127.0.0.1:9000/base too, by /outer/base/"
	if got := strings.Join(c.Warnings, "\n"); !strings.Contains(got, want) {
		t.Errorf("warnings = %q, want %q", got, want)
	}
}
