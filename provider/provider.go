// Package provider is one OpenID provider (OP) as this relying party uses it: its metadata and keys,
// client authentication, token requests, the checks on ID tokens and logout tokens, userinfo,
// revocation and the URLs that a browser is sent to. Quirks of a product end here.
//
// Everything it learns from the provider comes over requests that follow no redirect, end in time and
// are read up to a limit, and nothing is used before it was checked. Its weak point is the same as
// that of every relying party: who owns the issuer's name (DNS, certificate) owns the login.
//
// It knows nothing of sessions, cookies or the configuration file.
package provider

import (
	"crypto"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"slices"
	"sync"
	"time"

	"golang.org/x/sync/semaphore"

	"github.com/cloakroom/cloakroom/secret"
)

// How this service proves to the provider who it is.
const (
	ClientSecretBasic = "client_secret_basic"
	ClientSecretPost  = "client_secret_post"
	ClientSecretJWT   = "client_secret_jwt"
	PrivateKeyJWT     = "private_key_jwt"
	TLSClientAuth     = "tls_client_auth"
	ClientAuthNone    = "none"
)

const (
	defaultTimeout = 10 * time.Second
	// maxTokenRequests bounds the token requests under way, so that a provider that is coming back is
	// not trampled by all sessions at once.
	maxTokenRequests = 64
)

// Config says which provider this is and how this service is registered there.
type Config struct {
	ID, Name     string // the operator's id (in redirect URIs, metrics) and the name that people see
	Issuer       string // compared byte for byte, everywhere
	ClientID     string
	ClientSecret secret.Value
	// ClientAuth is client_secret_basic, client_secret_post, client_secret_jwt, private_key_jwt,
	// tls_client_auth or none; "" means client_secret_basic.
	ClientAuth    string
	ClientKeyPEM  secret.Value // private key for private_key_jwt and tls_client_auth
	ClientCertPEM string       // certificate chain for tls_client_auth
	// IDTokenAlg is the one algorithm that ID tokens, logout tokens and signed userinfo may bear;
	// "" means RS256. Metadata is never asked.
	IDTokenAlg       string
	TrustedAudiences []string // further audiences that an ID token may name beside ClientID
	ResponseMode     string   // query or form_post; "" means query
	Scopes           []string // "openid" is added when it is missing
	RefreshOff       bool     // never ask for offline_access
	// AuthParams go into every authorization request and win over what a caller asked for, except
	// for prompt, which a caller may choose. An empty value keeps the parameter out.
	AuthParams                         map[string]string
	RootCAsPEM                         []byte // trusted beside the system's
	RedirectURI, PostLogoutRedirectURI string
}

// Options are what a Provider needs from its surroundings. The zero value of each works.
type Options struct {
	Now     func() time.Time // nil: time.Now
	Logger  *slog.Logger     // nil: none
	Metrics *Metrics         // nil: not counted; several providers share one
	Timeout time.Duration    // of one request to the provider, body included; 0 means 10 s
}

// A Provider talks to one OpenID provider. It is safe for concurrent use and starts no goroutine
// that outlives a request by more than Options.Timeout.
type Provider struct {
	config  Config
	now     func() time.Time
	log     *slog.Logger
	metrics *Metrics
	http    *http.Client
	timeout time.Duration

	signer   crypto.Signer // for private_key_jwt; nil otherwise
	metadata metadataCache
	keys     *keySet
	requests *semaphore.Weighted // token requests under way

	restMu sync.Mutex // guards rest and failures
	rest   time.Time  // refreshes fail fast until then
	fails  int
}

// New checks c, and reaches for nothing: a provider that is down does not stop the start.
func New(c Config, o Options) (*Provider, error) {
	if c.ClientAuth == "" {
		c.ClientAuth = ClientSecretBasic
	}
	if c.IDTokenAlg == "" {
		c.IDTokenAlg = "RS256"
	}
	if c.ResponseMode == "" {
		c.ResponseMode = "query"
	}
	if !slices.Contains(c.Scopes, "openid") {
		c.Scopes = append([]string{"openid"}, c.Scopes...)
	}
	p := &Provider{config: c, now: o.Now, log: o.Logger, metrics: o.Metrics, timeout: o.Timeout, requests: semaphore.NewWeighted(maxTokenRequests)}
	if p.now == nil {
		p.now = time.Now
	}
	if p.log == nil {
		p.log = slog.New(slog.DiscardHandler)
	}
	if p.metrics == nil {
		p.metrics = NewMetrics(nil)
	}
	if p.timeout == 0 {
		p.timeout = defaultTimeout
	}
	if err := p.loadCredentials(); err != nil {
		return nil, err
	}
	p.keys = &keySet{provider: p}
	return p, nil
}

// loadCredentials makes the HTTP client and the signer of the configured client authentication.
func (p *Provider) loadCredentials() error {
	t := &http.Transport{
		Proxy:       http.ProxyFromEnvironment,
		DialContext: (&net.Dialer{Timeout: 5 * time.Second}).DialContext, TLSHandshakeTimeout: 5 * time.Second,
		ForceAttemptHTTP2: true, MaxIdleConnsPerHost: 32, IdleConnTimeout: 90 * time.Second,
		TLSClientConfig: &tls.Config{MinVersion: tls.VersionTLS12},
	}
	if len(p.config.RootCAsPEM) > 0 {
		pool, err := x509.SystemCertPool()
		if err != nil {
			pool = x509.NewCertPool()
		}
		if !pool.AppendCertsFromPEM(p.config.RootCAsPEM) {
			return fmt.Errorf("set up provider %q: ca_file holds no PEM certificate", p.config.ID)
		}
		t.TLSClientConfig.RootCAs = pool
	}
	switch p.config.ClientAuth {
	case TLSClientAuth:
		cert, err := tls.X509KeyPair([]byte(p.config.ClientCertPEM), []byte(p.config.ClientKeyPEM.Reveal()))
		if err != nil {
			return fmt.Errorf("set up provider %q: tls_client_auth needs a certificate and its key: %w", p.config.ID, err)
		}
		t.TLSClientConfig.Certificates = []tls.Certificate{cert}
	case PrivateKeyJWT:
		key, err := parsePrivateKey(p.config.ClientKeyPEM)
		if err != nil {
			return fmt.Errorf("set up provider %q: private_key_jwt: %w", p.config.ID, err)
		}
		p.signer = key
	}
	p.http = &http.Client{
		Transport: t,
		// Go would post a body again, to wherever a 307 points (MD3).
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	return nil
}

// ID is the operator's id of the provider.
func (p *Provider) ID() string { return p.config.ID }

// Name is what people call the provider.
func (p *Provider) Name() string { return p.config.Name }

// Issuer is the configured issuer.
func (p *Provider) Issuer() string { return p.config.Issuer }

// ClientID is who this service is at the provider.
func (p *Provider) ClientID() string { return p.config.ClientID }

// Config is the configuration with its defaults filled in. Callers must not change its maps and slices.
func (p *Provider) Config() Config { return p.config }

var errNoKey = errors.New("the key file holds no PKCS #8, PKCS #1 or SEC 1 private key in PEM")
