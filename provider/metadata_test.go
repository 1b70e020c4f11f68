package provider_test

import (
	"context"
	"encoding/pem"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/cloakroom/cloakroom/provider"
	"github.com/cloakroom/cloakroom/provider/jose"
	"github.com/cloakroom/cloakroom/secret"
	"github.com/cloakroom/cloakroom/test/providers/odd"
)

// A clock is moved by a test.
type clock struct{ ahead atomic.Int64 }

func (c *clock) now() time.Time           { return time.Now().Add(time.Duration(c.ahead.Load())) }
func (c *clock) advance(by time.Duration) { c.ahead.Add(int64(by)) }

// MD1, MD2: after one fault nothing of the document is used. The error names the fault.
func TestMetadataThatIsNotTheConfiguredProvidersIsRefused(t *testing.T) {
	for _, test := range []struct {
		name, fault string
		alter       func(odd.Claims)
	}{
		{"MD1 other issuer", "issuer", func(d odd.Claims) { d["issuer"] = d["issuer"].(string) + "INVALID" }},
		{"MD1 trailing slash", "issuer", func(d odd.Claims) { d["issuer"] = d["issuer"].(string) + "/" }},
		{"MD1 no issuer", "issuer", func(d odd.Claims) { delete(d, "issuer") }},
		{"MD2 http token endpoint", "token_endpoint", func(d odd.Claims) { d["token_endpoint"] = "http://id.example.com/token" }},
		{"MD2 javascript end_session", "end_session_endpoint", func(d odd.Claims) { d["end_session_endpoint"] = "javascript:alert(1)" }},
		{"MD2 file jwks", "jwks_uri", func(d odd.Claims) { d["jwks_uri"] = "file:///etc/passwd" }},
		{"MD2 http revocation", "revocation_endpoint", func(d odd.Claims) { d["revocation_endpoint"] = "http://id.example.com/revoke" }},
		{
			"MD2 relative authorization endpoint", "authorization_endpoint",
			func(d odd.Claims) { d["authorization_endpoint"] = "/authorize" },
		},
		{"MD2 http userinfo", "userinfo_endpoint", func(d odd.Claims) { d["userinfo_endpoint"] = "http://id.example.com/me" }},
		{"MD2 mtls alias", "mtls_endpoint_aliases.token_endpoint", func(d odd.Claims) {
			d["mtls_endpoint_aliases"] = odd.Claims{"token_endpoint": "http://id.example.com/token"}
		}},
		{"MD2 user name in it", "token_endpoint", func(d odd.Claims) { d["token_endpoint"] = "https://a@id.example.com/token" }},
		{"no token endpoint", "token_endpoint", func(d odd.Claims) { delete(d, "token_endpoint") }},
	} {
		t.Run(test.name, func(t *testing.T) {
			op := odd.New(t)
			op.OnDiscovery(test.alter)
			p := newProvider(t, op)
			_, err := p.AuthorizationURL(t.Context(), provider.AuthorizationRequest{
				State: "s", Nonce: nonce, Verifier: secret.New(verifier),
			})
			if !errors.Is(err, provider.ErrMisconfigured) || !strings.Contains(err.Error(), test.fault) {
				t.Errorf("error = %v, want a misconfiguration that names %s", err, test.fault)
			}
			if p.Ready() {
				t.Error("ready with refused metadata")
			}
		})
	}
}

// MD2: an issuer must be https, or on this machine.
func TestIssuerMustBeHTTPSOrLoopback(t *testing.T) {
	for issuer, good := range map[string]bool{
		"https://id.example.com": true, "http://localhost:1": true, "http://127.0.0.1:1": true,
		"http://[::1]:1": true, "http://id.localhost": true, "http://LOCALHOST:5999/op": true,
		"http://id.example.com": false, "http://127.0.0.1.example.com": false, "ftp://localhost": false,
		"id.example.com": false, "": false, "https://a@b": false,
	} {
		_, err := provider.New(provider.Config{ID: "main", Issuer: issuer, ClientID: "c", ClientAuth: "none"}, provider.Options{})
		if (err == nil) != good {
			t.Errorf("New with issuer %q = %v, want good: %v", issuer, err, good)
		}
	}
}

// MD2: an https issuer may not name a loopback http endpoint either.
func TestHTTPSIssuerHasNoPlainEndpoints(t *testing.T) {
	op := odd.New(t, odd.WithTLS())
	op.OnDiscovery(func(d odd.Claims) { d["token_endpoint"] = "http://127.0.0.1:1/token" })
	p := newProvider(t, op, func(s *setup) { s.Transport = op.Server.Client().Transport })
	if _, err := p.Metadata(t.Context()); !errors.Is(err, provider.ErrMisconfigured) {
		t.Errorf("error = %v, want a misconfiguration", err)
	}
}

// MD4: the certificate is verified, against the system's roots and the configured ones.
func TestCertificateIsVerified(t *testing.T) {
	op := odd.New(t, odd.WithTLS())
	ca := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: op.Server.Certificate().Raw})
	if _, err := newProvider(t, op).Metadata(t.Context()); !errors.Is(err, provider.ErrUnreachable) {
		t.Errorf("self-signed: error = %v, want unreachable", err)
	}
	trusting := newProvider(t, op, func(s *setup) { s.RootCAsPEM = ca })
	if _, err := trusting.Metadata(t.Context()); err != nil {
		t.Errorf("with its CA: %v", err)
	}
	wrongName := newProvider(t, op, func(s *setup) {
		s.RootCAsPEM = ca
		s.Issuer = strings.Replace(op.Issuer(), "127.0.0.1", "localhost", 1)
	})
	if _, err := wrongName.Metadata(t.Context()); !errors.Is(err, provider.ErrUnreachable) {
		t.Errorf("wrong name: error = %v, want unreachable", err)
	}
}

// MD3: no redirect is followed at any endpoint, and no body is sent to its target.
func TestRedirectsAreNotFollowed(t *testing.T) {
	var seen atomic.Int64
	canary := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { seen.Add(1) }))
	defer canary.Close()
	for _, status := range []int{301, 302, 303, 307, 308} {
		op := odd.New(t)
		p := newProvider(t, op)
		got := tokens(t, p, op)
		c := code(t, p, op)
		for _, e := range []string{odd.Token, odd.Userinfo, odd.Revocation, odd.JWKS} {
			op.Intercept(e, odd.Redirect(status, canary.URL))
		}
		_, exchangeErr := p.Exchange(t.Context(), c, secret.New(verifier))
		_, refreshErr := p.Refresh(t.Context(), got.RefreshToken, nil)
		_, userinfoErr := p.Userinfo(t.Context(), got.AccessToken, "alice")
		_, verifyErr := p.Verifier().IDToken(t.Context(), got.IDToken, jose.Attempt{Nonce: nonce})
		for what, err := range map[string]error{
			"exchange": exchangeErr, "refresh": refreshErr, "userinfo": userinfoErr, "keys": verifyErr,
			"revocation": p.Revoke(t.Context(), got.RefreshToken, "refresh_token"),
		} {
			if !errors.Is(err, provider.ErrUnreachable) {
				t.Errorf("%d at %s: error = %v, want unreachable", status, what, err)
			}
		}
		other := odd.New(t)
		other.Intercept(odd.Discovery, odd.Redirect(status, canary.URL))
		if _, err := newProvider(t, other).Metadata(t.Context()); !errors.Is(err, provider.ErrUnreachable) {
			t.Errorf("%d at metadata: error = %v, want unreachable", status, err)
		}
	}
	if n := seen.Load(); n != 0 {
		t.Errorf("requests at the redirect's target = %d, want 0", n)
	}
}

// MD8: once a good document is known, no bad answer replaces it.
func TestGarbageDoesNotReplaceGoodMetadataAndKeys(t *testing.T) {
	for name, garbage := range map[string]odd.Interceptor{
		"HTML":       odd.HTML(),
		"empty":      odd.Answer(200, "application/json", ""),
		"other JSON": odd.Answer(200, "application/json", `{"hello":"world"}`),
		"null":       odd.Answer(200, "application/json", "null"), "404": odd.Answer(404, "text/plain", "gone"), "hang up": odd.Drop(),
		"huge": odd.Answer(200, "application/json", `{"keys":[],"issuer":"`+strings.Repeat("x", 2<<20)+`"}`),
	} {
		t.Run(name, func(t *testing.T) {
			op, c := odd.New(t), &clock{}
			p := newProvider(t, op, func(s *setup) { s.Now = c.now })
			checkRule(t, p, op, "")
			undo := []func(){op.Intercept(odd.Discovery, garbage), op.Intercept(odd.JWKS, garbage)}
			fetches := op.Count(odd.Discovery)
			op.OnClaims(func(_ string, cl odd.Claims) { // the provider's clock goes with ours
				cl["iat"], cl["exp"] = c.now().Unix(), c.now().Unix()+300
			})
			c.advance(2 * time.Hour)
			checkRule(t, p, op, "", func(e *jose.Attempt) { e.Started = time.Time{} })
			waitFor(t, "a fetch", func() bool { return op.Count(odd.Discovery) > fetches })
			for range 5 { // and each stale answer does not ask again
				checkRule(t, p, op, "", func(e *jose.Attempt) { e.Started = time.Time{} })
			}
			// The transport repeats a GET by itself when a connection that it used before is hung
			// up on.
			if n := op.Count(odd.Discovery) - fetches; n > 4 {
				t.Errorf("requests for stale metadata = %d, want those of one fetch", n)
			}
			for _, u := range undo {
				u()
			}
			c.advance(2 * time.Minute)
			checkRule(t, p, op, "")
		})
	}
}

func waitFor(t *testing.T, what string, done func() bool) {
	t.Helper()
	for range 500 {
		if done() {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Fatalf("no %s", what)
}

// MD8: while a provider is down from the start, requests fail at once and it is asked only now and
// then. It is known soon after it is back.
func TestProviderDownAtStartIsAskedNowAndThen(t *testing.T) {
	op, c := odd.New(t), &clock{}
	up := op.SetDown()
	p := newProvider(t, op, func(s *setup) { s.Now = c.now })
	for range 100 {
		_, err := p.Metadata(t.Context())
		var u *provider.UnreachableError
		if !errors.As(err, &u) {
			t.Fatalf("error = %v, want unreachable", err)
		}
	}
	if n := op.Count(odd.Discovery); n != 1 {
		t.Errorf("fetches = %d, want 1", n)
	}
	for range 20 {
		c.advance(20 * time.Second)
		_, _ = p.Metadata(t.Context())
	}
	if n := op.Count(odd.Discovery); n != 21 {
		t.Errorf("fetches = %d, want one per 20 s", n)
	}
	up()
	c.advance(16 * time.Second)
	if _, err := p.Metadata(t.Context()); err != nil || !p.Ready() {
		t.Errorf("after it came back: %v, ready %v", err, p.Ready())
	}
}

// MD8: a hundred concurrent callers cause one fetch, and one that goes away does not end it for the
// others.
func TestMetadataIsFetchedOnceForAll(t *testing.T) {
	op := odd.New(t)
	release := make(chan struct{})
	op.Intercept(odd.Discovery, odd.Hang(release))
	p := newProvider(t, op)
	ctx, cancel := context.WithCancel(t.Context())
	gone := make(chan error)
	go func() { _, err := p.Metadata(ctx); gone <- err }()
	waitFor(t, "request", func() bool { return op.Count(odd.Discovery) == 1 })
	var wg sync.WaitGroup
	for range 100 {
		wg.Go(func() {
			if _, err := p.Metadata(t.Context()); err != nil {
				t.Error(err)
			}
		})
	}
	cancel()
	if err := <-gone; !errors.Is(err, context.Canceled) {
		t.Errorf("who went away got %v", err)
	}
	close(release)
	wg.Wait()
	if n := op.Count(odd.Discovery); n != 1 {
		t.Errorf("fetches = %d, want 1", n)
	}
}

// MD8: an answer that comes at one byte a second does not count as one.
func TestSlowAnswersEnd(t *testing.T) {
	op := odd.New(t)
	op.Intercept(odd.Discovery, func(w http.ResponseWriter, r *http.Request, _ http.HandlerFunc) {
		for r.Context().Err() == nil {
			_, _ = w.Write([]byte(" "))
			_ = http.NewResponseController(w).Flush()
			time.Sleep(10 * time.Millisecond)
		}
	})
	p := newProvider(t, op, func(s *setup) { s.Timeout = 200 * time.Millisecond })
	if _, err := p.Metadata(t.Context()); !errors.Is(err, provider.ErrUnreachable) {
		t.Errorf("error = %v, want unreachable", err)
	}
}

// MD8: metadata and keys may come with a wrong content type.
func TestContentTypeOfDocumentsIsTolerated(t *testing.T) {
	op := odd.New(t)
	plain := func(w http.ResponseWriter, r *http.Request, next http.HandlerFunc) {
		next(typed{w}, r)
	}
	op.Intercept(odd.Discovery, plain)
	op.Intercept(odd.JWKS, plain)
	checkRule(t, newProvider(t, op), op, "")
}

type typed struct{ http.ResponseWriter }

func (w typed) WriteHeader(status int) {
	w.Header().Set("Content-Type", "text/plain")
	w.ResponseWriter.WriteHeader(status)
}

func TestProvidersShareMetrics(t *testing.T) {
	op, r := odd.New(t), prometheus.NewRegistry()
	for _, id := range []string{"one", "two"} {
		p := newProvider(t, op, func(s *setup) { s.ID, s.Options.Metrics = id, r })
		_ = tokens(t, p, op)
	}
	n, err := testutil.GatherAndCount(r, "cloakroom_provider_requests_total")
	if err != nil || n != 4 { // metadata and token, twice
		t.Errorf("series = %d (%v), want 4", n, err)
	}
}

func TestContradictionsInTheConfigurationAreNamed(t *testing.T) {
	good := func() provider.Config {
		return provider.Config{ID: "main", Issuer: "https://id.example.com", ClientID: "c", ClientSecret: secret.New("s")}
	}
	for want, change := range map[string]func(*provider.Config){
		"client_id":                      func(c *provider.Config) { c.ClientID = "" },
		"client_secret is missing":       func(c *provider.Config) { c.ClientSecret = secret.Value{} },
		"client_auth":                    func(c *provider.Config) { c.ClientAuth = "guess" },
		"id_token_alg":                   func(c *provider.Config) { c.IDTokenAlg = "none" },
		"response_mode":                  func(c *provider.Config) { c.ResponseMode = "fragment" },
		"auth_params.state can't be set": func(c *provider.Config) { c.AuthParams = map[string]string{"state": "x"} },
		"client_key_file is missing":     func(c *provider.Config) { c.ClientAuth, c.ClientSecret = "private_key_jwt", secret.Value{} },
		"PEM": func(c *provider.Config) {
			c.ClientAuth, c.ClientSecret, c.ClientKeyPEM = "private_key_jwt", secret.Value{}, secret.New("none")
		},
		"client_secret is not used": func(c *provider.Config) { c.ClientAuth = "tls_client_auth" },
		"client certificate": func(c *provider.Config) {
			c.ClientAuth, c.ClientSecret, c.ClientKeyPEM, c.ClientCertPEM = "tls_client_auth", secret.Value{}, secret.New("none"), "none"
		},
		"scopes lacks openid": func(c *provider.Config) { c.Scopes = []string{"profile"} },
		"asks for a refresh": func(c *provider.Config) {
			c.RefreshOff, c.Scopes = true, []string{"openid", "offline_access"}
		},
		"no_such_file": func(c *provider.Config) { c.CAFile = "testdata/no_such_file" },
		"CA file":      func(c *provider.Config) { c.RootCAsPEM = []byte("none") },
		"id_token_alg needs a client secret": func(c *provider.Config) {
			c.IDTokenAlg, c.ClientAuth, c.ClientSecret = "HS256", "none", secret.Value{}
		},
	} {
		c := good()
		change(&c)
		_, err := provider.New(c, provider.Options{})
		if !errors.Is(err, provider.ErrMisconfigured) || !strings.Contains(err.Error(), want) {
			t.Errorf("error = %v, want %q", err, want)
		}
	}
	if _, err := provider.New(good(), provider.Options{}); err != nil {
		t.Error(err)
	}
}
