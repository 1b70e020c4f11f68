// Package devprovider is an OpenID provider for the demo and for tests.
//
// The certified package op of github.com/zitadel/oidc implements the protocol. This package adds
// users, a login page, browser sessions, rotating refresh tokens whose reuse revokes their family
// (RFC 9700 §4.14.2), and back-channel logout. Everything is in memory, the login page shows the
// passwords, and it trusts everybody who can reach it. Never use it in production; only the demo
// and tests may import it.
package devprovider

import (
	"context"
	"crypto/rand"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"time"

	"github.com/zitadel/oidc/v3/pkg/op"
)

// Options configure a Provider.
type Options struct {
	Issuer  string   // its own URL, without a trailing slash
	Clients []Client // at least one
	// Lifetimes; zero means 20 s for access tokens, 8 h for refresh tokens.
	AccessTokenLifetime, RefreshTokenLifetime time.Duration
	Logger                                    *slog.Logger // nil means no log
}

// A Provider is an http.Handler for every endpoint below its issuer. It is safe for concurrent use,
// starts no goroutines and need not be closed.
type Provider struct {
	issuer string
	store  *storage
	http   *http.Client // for logout tokens
	mux    *http.ServeMux
	after  func(context.Context, string) string // URL after a login, by authorization request
}

// New makes a provider with a new signing key. Tokens of an earlier provider are invalid.
func New(o Options) (*Provider, error) {
	issuer, err := url.Parse(o.Issuer)
	if err != nil || issuer.Host == "" || issuer.Path != "" {
		return nil, fmt.Errorf("make development provider: issuer %q is not scheme://host[:port]", o.Issuer)
	}
	if o.AccessTokenLifetime == 0 {
		o.AccessTokenLifetime = 20 * time.Second
	}
	if o.RefreshTokenLifetime == 0 {
		o.RefreshTokenLifetime = 8 * time.Hour
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	store, err := newStorage(o)
	if err != nil {
		return nil, err
	}
	p := &Provider{
		issuer: o.Issuer, store: store, mux: http.NewServeMux(),
		http: &http.Client{
			Timeout: 5 * time.Second,
			// The answer to a logout token is a status; redirects are not followed (Back-Channel
			// Logout §2.8).
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		},
	}
	protocol, err := newProtocol(o, store)
	if err != nil {
		return nil, err
	}
	p.after = op.AuthCallbackURL(protocol)
	store.notify = p.sendLogoutTokens
	p.routes(protocol)
	return p, nil
}

// newProtocol configures op.
func newProtocol(o Options, store *storage) (*op.Provider, error) {
	config := &op.Config{
		DefaultLogoutRedirectURI:          o.Issuer + "/logged-out",
		CodeMethodS256:                    true,
		AuthMethodPost:                    true,
		GrantTypeRefreshToken:             true,
		BackChannelLogoutSupported:        true,
		BackChannelLogoutSessionSupported: true,
		CryptoKeyId:                       "development",
	}
	if _, err := rand.Read(config.CryptoKey[:]); err != nil {
		return nil, fmt.Errorf("make development provider: %w", err)
	}
	protocol, err := op.NewProvider(config, store, op.StaticIssuer(o.Issuer),
		op.WithAllowInsecure(), // plain http, on loopback
		op.WithCORSOptions(nil),
		op.WithLogger(o.Logger),
	)
	if err != nil {
		return nil, fmt.Errorf("make development provider %q: %w", o.Issuer, err)
	}
	return protocol, nil
}

func (p *Provider) routes(protocol *op.Provider) {
	p.mux.HandleFunc("GET /{$}", p.home)
	p.mux.HandleFunc("GET /login", p.loginPage)
	p.mux.Handle("POST /login", op.NewIssuerInterceptor(protocol.IssuerFromRequest).HandlerFunc(p.login))
	p.mux.HandleFunc("POST /logout", p.logout)
	p.mux.HandleFunc("GET /logged-out", p.loggedOut)
	p.mux.HandleFunc("GET /dev/status", p.status)
	p.mux.Handle("/", protocol)
}

// ServeHTTP answers the protocol's endpoints and the provider's own pages.
func (p *Provider) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("X-Development-Provider", "never use it in production")
	w.Header().Set("Cache-Control", "no-store")
	ctx := withSession(r.Context(), p.store.sessionOf(r))
	p.mux.ServeHTTP(w, r.WithContext(ctx))
}
