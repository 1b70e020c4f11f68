// Package odd is a scripted OpenID provider for tests.
//
// By default it is a strict provider: the code grant with PKCE, client authentication, rotating
// refresh tokens with reuse detection, userinfo, revocation and RP-initiated logout. A test changes
// it in three ways: Intercept puts middleware in front of an endpoint, the On… methods modify what
// the provider is about to send, and the keys can be rotated, hidden and mixed with invalid ones.
// The provider records every request for the test.
//
// It is not certified, and has one user at a time, so its accepting a request proves little. It is
// safe for concurrent use.
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

// The names of the endpoints, for Intercept, Requests and Count.
const (
	Discovery  = "discovery"
	JWKS       = "jwks"
	Authorize  = "authorize"
	Token      = "token"
	Userinfo   = "userinfo"
	Revocation = "revocation"
	EndSession = "end_session"
)

// paths are the paths of the endpoints below the issuer.
var paths = map[string]string{
	Discovery:  "/.well-known/openid-configuration",
	JWKS:       "/jwks",
	Authorize:  "/authorize",
	Token:      "/token",
	Userinfo:   "/userinfo",
	Revocation: "/revoke",
	EndSession: "/end-session",
}

// Claims is a JSON object that a test may modify: claims, a JOSE header, an answer, metadata.
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

// A Client is the registration of the provider's only client.
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

// WithClock sets the clock of the provider.
func WithClock(now func() time.Time) Option { return func(p *Provider) { p.now = now } }

// WithTLS makes the provider listen with TLS. Its certificate is Server.Certificate().
func WithTLS() Option { return func(p *Provider) { p.tls = true } }

// New starts a provider, which stops at the end of the test.
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

// URL is the URL of an endpoint.
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
