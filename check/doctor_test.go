package check_test

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/cloakroom/cloakroom/check"
	"github.com/cloakroom/cloakroom/config"
	"github.com/cloakroom/cloakroom/secret"
	"github.com/cloakroom/cloakroom/server"
	"github.com/cloakroom/cloakroom/session"
	"github.com/cloakroom/cloakroom/test/providers/odd"
)

// A setup is a configuration in which check finds nothing wrong, until a test spoils it.
type setup struct {
	op   *odd.Provider
	api  *httptest.Server
	dir  string
	yaml map[string]string // by section
}

func newSetup(t *testing.T) *setup {
	t.Helper()
	s := &setup{dir: t.TempDir()}
	s.op = odd.New(t, func(p *odd.Provider) { p.Client.Secret = "the-secret-of-the-client" })
	s.api = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusUnauthorized)
	}))
	t.Cleanup(s.api.Close)
	s.op.OnAuthorize(func(request, answer url.Values) { // as providers answer a registered client
		if request.Get("prompt") == "none" {
			answer.Set("error", "login_required")
		}
	})
	client := s.op.Client
	s.yaml = map[string]string{
		"server":  `{public_url: "http://localhost:8080", listen: "127.0.0.1:0", admin_listen: "127.0.0.1:0"}`,
		"session": fmt.Sprintf(`{store: "sqlite:%s/s.db"}`, s.dir),
		"providers": fmt.Sprintf(`[{id: main, issuer: %q, client_id: %q, client_secret: %q}]`,
			s.op.Issuer(), client.ID, client.Secret),
		"routes": fmt.Sprintf(`[{path: /api/, upstream: %q}]`, s.api.URL),
	}
	return s
}

func (s *setup) config(t *testing.T) *config.Config {
	t.Helper()
	var text strings.Builder
	for name, value := range s.yaml {
		fmt.Fprintf(&text, "%s: %s\n", name, value)
	}
	cfg, err := config.Parse("test.yaml", []byte(text.String()), os.LookupEnv)
	if err != nil {
		t.Fatal(err)
	}
	return cfg
}

// problems are the findings that are wrong or warnings, one to a line.
func (s *setup) problems(t *testing.T) string {
	t.Helper()
	var b strings.Builder
	for _, f := range check.Run(t.Context(), s.config(t), check.Options{}).Findings {
		if f.Status == check.Wrong || f.Status == check.Warning {
			fmt.Fprintf(&b, "%s %s %s: %s → %s\n", f.Status, f.Area, f.Name, f.Detail, f.Remedy)
		}
	}
	return b.String()
}

// start runs the service of the configuration until stop is called.
func (s *setup) start(t *testing.T) (stop func()) {
	t.Helper()
	running, err := server.New(t.Context(), s.config(t), server.Options{Logger: discard()})
	if err == nil {
		err = running.Listen(t.Context(), nil, nil)
	}
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- running.Run(ctx) }()
	return func() {
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	}
}

// The setup that the other tests spoil has no problems before.
func TestNothingIsWrongWithASetupThatIsRight(t *testing.T) {
	if got := newSetup(t).problems(t); got != "" {
		t.Errorf("findings:\n%s", got)
	}
}

// With each of these configurations, the service does not start, or starts and nobody can log in.
func TestWhatKeepsPeopleOutIsFound(t *testing.T) {
	const (
		refused         = "wrong provider main: refuses this client"
		requestRefused  = "wrong provider main: refuses an authorization request: "
		clientUnknown   = "warning provider main: whether the provider accepts this client is unknown"
		redirectUnknown = "warning provider main: whether the redirect URI is registered is unknown"
		noIDToken       = "wrong provider main: no ID token can be verified"
		noCode          = "wrong provider main: no code can be redeemed"
	)
	discovery := func(name string, value any) func(*testing.T, *setup) {
		return func(_ *testing.T, s *setup) { s.op.OnDiscovery(func(d odd.Claims) { d[name] = value }) }
	}
	authorizeError := func(code string) func(*testing.T, *setup) {
		return func(_ *testing.T, s *setup) {
			s.op.OnAuthorize(func(_, answer url.Values) { answer.Set("error", code) })
		}
	}
	intercept := func(endpoint string, answer odd.Interceptor) func(*testing.T, *setup) {
		return func(_ *testing.T, s *setup) { s.op.Intercept(endpoint, answer) }
	}
	replace := func(section, from, to string) func(*testing.T, *setup) {
		return func(_ *testing.T, s *setup) { s.yaml[section] = strings.Replace(s.yaml[section], from, to, 1) }
	}
	for name, c := range map[string]struct {
		spoil func(*testing.T, *setup)
		want  []string // of the finding
	}{
		"wrong secret": {
			replace("providers", `client_secret: "`, `client_secret: "not-`),
			[]string{refused + ": invalid_client", "`client_secret`"},
		},
		"wrong client id": {
			replace("providers", `client_id: "`, `client_id: "not-`), []string{refused, "`client_id`"},
		},
		"secret is unauthorized": {
			intercept(odd.Token, odd.OAuthError(http.StatusBadRequest, "unauthorized_client")),
			[]string{refused + ": unauthorized_client"},
		},
		"redirect URI is not registered": {
			intercept(odd.Authorize,
				odd.Answer(http.StatusBadRequest, "text/html", "Invalid parameter: redirect_uri")),
			[]string{requestRefused + "bad request", "http://localhost:8080/bff/callback/main"},
		},
		"error page of its own": {
			intercept(odd.Authorize,
				odd.Redirect(http.StatusFound, "https://id.example.com/error?error=invalid_request")),
			[]string{requestRefused + "invalid_request"},
		},
		"authorization endpoint that fails": {
			intercept(odd.Authorize, odd.Answer(http.StatusInternalServerError, "text/html", "?")),
			[]string{redirectUnknown, "internal server error"},
		},
		"nobody may log in": {authorizeError("access_denied"), []string{redirectUnknown, "access_denied"}},
		"scope is refused": {
			authorizeError("invalid_scope"),
			[]string{"wrong provider main: refuses the scopes of a login", "`scopes`"},
		},
		"PAR is required": {
			discovery("require_pushed_authorization_requests", true),
			[]string{"wrong provider main: the provider takes pushed"},
		},
		"request objects are required": {
			discovery("require_signed_request_object", true),
			[]string{"wrong provider main: the provider takes signed request objects alone"},
		},
		"algorithm": {
			discovery("id_token_signing_alg_values_supported", []string{"ES256", "PS256"}),
			[]string{"wrong provider main: the provider signs no ID token with RS256", "ES256, PS256"},
		},
		"client authentication": {
			discovery("token_endpoint_auth_methods_supported", []string{"private_key_jwt"}),
			[]string{
				"provider main: token_endpoint_auth_methods_supported lacks client_secret_basic",
				"private_key_jwt",
			},
		},
		"keys that nobody can read": {
			discovery("jwks_uri", "http://127.0.0.1:1/keys"),
			[]string{noIDToken + ": keys endpoint", "jwks_uri"},
		},
		"no key set": {intercept(odd.JWKS, odd.HTML()), []string{noIDToken}},
		"no key that fits": {
			intercept(odd.JWKS, odd.Answer(http.StatusOK, "application/json", `{"keys":[]}`)),
			[]string{"wrong provider main: its key set has no key for RS256", "`id_token_alg`"},
		},
		"token endpoint that is down": {
			discovery("token_endpoint", "http://127.0.0.1:1/token"),
			[]string{noCode + ": token endpoint", "token_endpoint"},
		},
		"token endpoint that is none": {
			intercept(odd.Token, odd.Answer(http.StatusNotFound, "text/html", "?")), []string{noCode},
		},
		"token endpoint that is overloaded": {
			intercept(odd.Token, odd.Answer(http.StatusServiceUnavailable, "text/html", "?")),
			[]string{clientUnknown},
		},
		"no code flow": {
			discovery("response_types_supported", []string{"id_token"}),
			[]string{"wrong provider main: response_types_supported lacks code"},
		},
		"unwritable folder": {
			func(_ *testing.T, s *setup) { s.yaml["session"] = `{store: "sqlite:/proc/s.db"}` },
			[]string{"wrong store sqlite", "write to it"},
		},
		"template": {func(t *testing.T, s *setup) {
			writeFile(t, filepath.Join(s.dir, "error.html"), "{{define")
			s.yaml["pages"] = fmt.Sprintf("{templates: %q}", s.dir)
		}, []string{"wrong configuration start: load pages.templates", "error.html", "correct that file"}},
		"taken port": {func(t *testing.T, s *setup) {
			l, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = l.Close() })
			taken := fmt.Sprintf("listen: %q", l.Addr())
			s.yaml["server"] = strings.Replace(s.yaml["server"], `listen: "127.0.0.1:0"`, taken, 1)
		}, []string{"wrong listener server.listen", "address already in use", "name another in `server.listen`"}},
		"issuer that serve refuses": {func(_ *testing.T, s *setup) {
			s.yaml["providers"] = `[{id: main, issuer: "https://id.example.com", client_id: a,` +
				` client_auth: private_key_jwt, client_key_file: /nowhere.pem}]`
		}, []string{"wrong configuration start", "/nowhere.pem", "`client_key_file`"}},
		"open API": {func(_ *testing.T, s *setup) {
			s.api.Config.Handler = http.HandlerFunc(func(http.ResponseWriter, *http.Request) {})
		}, []string{"warning upstream", "answers 200 without a token", "check the access token"}},
		"API that is down": {
			replace("routes", "http://127.0.0.1:", "http://127.0.0.1:1/"),
			[]string{"wrong upstream", "does not answer", "502"},
		},
		"API without a trusted certificate": {func(t *testing.T, s *setup) {
			tls := httptest.NewTLSServer(http.NotFoundHandler())
			t.Cleanup(tls.Close)
			s.yaml["routes"] = fmt.Sprintf(`[{path: /api/, upstream: %q}]`, tls.URL)
		}, []string{"wrong upstream", "certificate that is not trusted"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newSetup(t)
			c.spoil(t, s)
			got := s.problems(t)
			for _, want := range c.want {
				if !strings.Contains(got, want) {
					t.Errorf("findings lack %q:\n%s", want, got)
				}
			}
			if strings.Contains(got, s.op.Client.Secret) {
				t.Errorf("the client secret is in the findings:\n%s", got)
			}
		})
	}
}

// check finds keys that don't open the stored sessions, as serve does, and changes nothing.
func TestKeysThatOpenNothingStoredAreFound(t *testing.T) {
	s := newSetup(t)
	cfg := s.config(t)
	sessions, closeAll, err := server.OpenSessions(t.Context(), cfg, discard())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := sessions.Start(t.Context(), httptest.NewRecorder(), aRecord(), ""); err != nil {
		t.Fatal(err)
	}
	if err := closeAll(); err != nil {
		t.Fatal(err)
	}
	if got := s.problems(t); got != "" {
		t.Errorf("with the right key:\n%s", got)
	}
	const otherKey = "MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE="
	s.yaml["session"] = fmt.Sprintf(`{store: "sqlite:%s/s.db", keys: [%q]}`, s.dir, otherKey)
	got := s.problems(t)
	if !strings.Contains(got, "wrong store session.keys") || !strings.Contains(got, "after the new one") {
		t.Errorf("with another key:\n%s", got)
	}
	s.yaml["session"] = fmt.Sprintf(`{store: "sqlite:%s/s.db"}`, s.dir)
	if err := os.Remove(filepath.Join(s.dir, "s.db.key")); err != nil {
		t.Fatal(err)
	}
	if got := s.problems(t); !strings.Contains(got, "s.db.key is not there") {
		t.Errorf("without the key file:\n%s", got)
	}
	if _, err := os.Stat(filepath.Join(s.dir, "s.db.key")); err == nil {
		t.Error("check made a key file")
	}
}

// A check beside the running service does not report that its ports are taken.
func TestPortsOfARunningServiceAreItsOwn(t *testing.T) {
	s := newSetup(t)
	port := func() string {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		return l.Addr().String()
	}
	s.yaml["server"] = fmt.Sprintf(
		`{public_url: "http://localhost:8080", listen: %q, admin_listen: %q, drain_delay: 0s}`, port(), port())
	stop := s.start(t)
	defer stop()
	if got := s.problems(t); got != "" {
		t.Errorf("findings:\n%s", got)
	}
}

func discard() *slog.Logger { return slog.New(slog.DiscardHandler) }

func writeFile(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func aRecord() *session.Record {
	return &session.Record{
		Provider: "main", Issuer: "https://id.example.com", Subject: "alice",
		AccessToken: secret.New("at"), Claims: []byte(`{"sub":"alice"}`),
		AccessTokenObtained: time.Now(), AccessTokenExpires: time.Now().Add(time.Hour),
	}
}
