// Package odd is an OpenID provider for tests that does whatever the test tells it to.
//
// Untouched it is a strict provider: the code grant with PKCE, client authentication, refresh tokens
// that rotate with reuse detection, userinfo, revocation and RP-initiated logout. A test changes it
// in three ways: Intercept puts itself in front of an endpoint (and may answer instead of it), the On…
// functions alter what the provider is about to say, and the keys can be rotated, hidden and mixed
// with nonsense. Every request is recorded, so a test can say what the provider saw.
//
// It is no certified provider, and knows one user at a time: what it accepts proves less than what it
// was made to do. It may be used from any number of goroutines.
package odd

import (
	"crypto/tls"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"
)

// The endpoints, by the names that Intercept, Requests and Count take.
const (
	Discovery  = "discovery"
	JWKS       = "jwks"
	Authorize  = "authorize"
	Token      = "token"
	Userinfo   = "userinfo"
	Revocation = "revocation"
	EndSession = "end_session"
)

// paths are where the endpoints live below the issuer.
var paths = map[string]string{
	Discovery:  "/.well-known/openid-configuration",
	JWKS:       "/jwks",
	Authorize:  "/authorize",
	Token:      "/token",
	Userinfo:   "/userinfo",
	Revocation: "/revoke",
	EndSession: "/end-session",
}

// Claims is a JSON object that a test may alter: claims, a JOSE header, an answer, metadata.
type Claims = map[string]any

// A Provider is one scripted OpenID provider on a loopback listener.
type Provider struct {
	Server *httptest.Server
	Client Client

	t   testing.TB
	now func() time.Time
	tls bool

	mu         sync.Mutex // guards all below; not held while a hook or an interceptor runs
	intercepts map[string][]Interceptor
	hooks      hooks
	keys       []*Key
	extraKeys  []any
	user       Claims
	life       time.Duration
	rotate     bool
	issue      bool
	codes      map[string]*code
	refresh    map[string]*refreshToken
	access     map[string]*grantFamily
	assertions map[string]bool // jti of client assertions that were accepted
	requests   []Request
	grants     []Grant
	reused     []string
	serial     int
}

// A Client is how the one client of the provider is registered.
type Client struct {
	ID, Secret string
	Auth       string // client_secret_basic, …_post, …_jwt, private_key_jwt, tls_client_auth (any certificate) or none
	PublicKey  any    // for private_key_jwt
	Alg        string // of ID tokens and logout tokens: RS256 or ES256
}

// An Option changes a Provider before it starts.
type Option func(*Provider)

// WithClient registers another client than {"cloakroom", "secret", client_secret_basic, RS256}.
func WithClient(c Client) Option { return func(p *Provider) { p.Client = c } }

// WithClock gives the provider another clock.
func WithClock(now func() time.Time) Option { return func(p *Provider) { p.now = now } }

// WithTLS makes it listen with TLS; its certificate is Server.Certificate().
func WithTLS() Option { return func(p *Provider) { p.tls = true } }

// New starts a provider, which stops with the test.
func New(t testing.TB, options ...Option) *Provider {
	t.Helper()
	p := &Provider{
		t:          t,
		now:        time.Now,
		Client:     Client{ID: "cloakroom", Secret: "secret", Auth: "client_secret_basic", Alg: "RS256"},
		intercepts: map[string][]Interceptor{},
		keys:       []*Key{firstRSA(), firstEC()},
		user:       Claims{"sub": "alice", "name": "Alice Example", "email": "alice@example.com"},
		life:       5 * time.Minute,
		rotate:     true,
		issue:      true,
		codes:      map[string]*code{},
		refresh:    map[string]*refreshToken{},
		access:     map[string]*grantFamily{},
		assertions: map[string]bool{},
	}
	for _, o := range options {
		o(p)
	}
	p.Server = httptest.NewUnstartedServer(p.handler())
	p.Server.Config.ErrorLog = log.New(io.Discard, "", 0) // of handshakes that a test means to fail
	if p.tls {
		p.Server.TLS = &tls.Config{ClientAuth: tls.RequestClientCert}
		p.Server.StartTLS()
	} else {
		p.Server.Start()
	}
	t.Cleanup(func() {
		p.Server.CloseClientConnections() // ends what hangs
		p.Server.Close()
	})
	return p
}

// Issuer is the provider's issuer: the listener's URL.
func (p *Provider) Issuer() string { return p.Server.URL }

// URL is where an endpoint lives.
func (p *Provider) URL(endpoint string) string { return p.Server.URL + paths[endpoint] }

func (p *Provider) handler() http.Handler {
	mux := http.NewServeMux()
	for endpoint, serve := range map[string]http.HandlerFunc{
		Discovery:  p.serveDiscovery,
		JWKS:       p.serveKeys,
		Authorize:  p.serveAuthorize,
		Token:      p.serveToken,
		Userinfo:   p.serveUserinfo,
		Revocation: p.serveRevocation,
		EndSession: p.serveEndSession,
	} {
		mux.HandleFunc(paths[endpoint], p.recorded(endpoint, serve))
	}
	return mux
}
