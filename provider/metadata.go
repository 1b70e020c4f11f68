package provider

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/singleflight"
)

const (
	metadataFresh = time.Hour
	// metadataRetry is how soon a discovery that failed is tried again; until then its error stands.
	metadataRetry = 2 * time.Second
)

// Metadata is what the provider publishes about itself (OIDC Discovery §3), verified as one unit.
type Metadata struct {
	Issuer                string   `json:"issuer"`
	AuthorizationEndpoint string   `json:"authorization_endpoint"`
	TokenEndpoint         string   `json:"token_endpoint"`
	UserinfoEndpoint      string   `json:"userinfo_endpoint"`
	JWKSURI               string   `json:"jwks_uri"`
	RevocationEndpoint    string   `json:"revocation_endpoint"`
	EndSessionEndpoint    string   `json:"end_session_endpoint"`
	ScopesSupported       []string `json:"scopes_supported"`

	IssParameterSupported      bool `json:"authorization_response_iss_parameter_supported"` // RFC 9207 §3
	BackchannelLogoutSupported bool `json:"backchannel_logout_supported"`

	MTLSAliases struct { // RFC 8705 §5
		TokenEndpoint      string `json:"token_endpoint"`
		RevocationEndpoint string `json:"revocation_endpoint"`
		UserinfoEndpoint   string `json:"userinfo_endpoint"`
	} `json:"mtls_endpoint_aliases"`
}

// metadataCache owns what is known of the provider.
type metadataCache struct {
	group singleflight.Group

	mu      sync.Mutex // guards all below; never held across I/O
	known   *Metadata
	fetched time.Time
	failed  time.Time // of the last failure
	err     error
}

// Metadata returns the provider's metadata, asking for it when it is not known or an hour old. What
// was good once stays in use while the provider answers nothing better (MD8). An error is
// ErrUnreachable or ErrMisconfigured.
func (p *Provider) Metadata(ctx context.Context) (*Metadata, error) {
	c := &p.metadata
	c.mu.Lock()
	known, now := c.known, p.now()
	fresh := known != nil && now.Sub(c.fetched) < metadataFresh
	resting, err := c.err != nil && now.Sub(c.failed) < metadataRetry, c.err
	c.mu.Unlock()
	switch {
	case fresh:
		return known, nil
	case resting && known == nil:
		return nil, err
	case resting:
		return known, nil
	}
	flight := c.group.DoChan("", func() (any, error) { return p.discover(context.WithoutCancel(ctx)) })
	if known != nil {
		return known, nil // it is renewed behind the caller
	}
	select {
	case r := <-flight:
		if r.Err != nil {
			return nil, r.Err
		}
		return r.Val.(*Metadata), nil
	case <-ctx.Done():
		return nil, &UnreachableError{Provider: p.config.ID, Endpoint: "metadata", Reason: "no answer in time", Err: ctx.Err()}
	}
}

// Ready reports whether the metadata is known; it does no I/O.
func (p *Provider) Ready() bool {
	p.metadata.mu.Lock()
	defer p.metadata.mu.Unlock()
	return p.metadata.known != nil
}

// discover fetches and keeps the metadata.
func (p *Provider) discover(ctx context.Context) (*Metadata, error) {
	m, err := p.fetchMetadata(ctx)
	c := &p.metadata
	c.mu.Lock()
	defer c.mu.Unlock()
	c.err = err
	if err != nil {
		c.failed = p.now()
		return nil, err
	}
	c.known, c.fetched = m, p.now()
	return m, nil
}

func (p *Provider) fetchMetadata(ctx context.Context) (*Metadata, error) {
	r, err := http.NewRequest(http.MethodGet, strings.TrimSuffix(p.config.Issuer, "/")+"/.well-known/openid-configuration", nil)
	if err != nil {
		return nil, fmt.Errorf("%w: issuer of provider %q is no URL", ErrMisconfigured, p.config.ID)
	}
	r.Header.Set("Accept", "application/json")
	a, err := p.fetch(ctx, "metadata", r)
	if err != nil {
		return nil, err
	}
	if a.status != http.StatusOK {
		return nil, p.transient("metadata", a)
	}
	var m Metadata
	if err := json.Unmarshal(a.body, &m); err != nil {
		return nil, &UnreachableError{Provider: p.config.ID, Endpoint: "metadata", Reason: "its answer is no metadata document"}
	}
	if err := p.checkMetadata(&m); err != nil {
		return nil, fmt.Errorf("%w: metadata of provider %q: %w", ErrMisconfigured, p.config.ID, err)
	}
	return &m, nil
}

// checkMetadata holds the document to OIDC Discovery §4.3 and to endpoints that a token or a browser
// may be sent to.
func (p *Provider) checkMetadata(m *Metadata) error {
	if m.Issuer != p.config.Issuer {
		return fmt.Errorf("its issuer is %q, the configured one %q: they must be equal byte for byte", printable(m.Issuer), p.config.Issuer)
	}
	if p.config.ClientAuth == TLSClientAuth {
		m.useMTLS()
	}
	for _, e := range []struct {
		name, url string
		required  bool
	}{
		{"authorization_endpoint", m.AuthorizationEndpoint, true},
		{"token_endpoint", m.TokenEndpoint, true},
		{"jwks_uri", m.JWKSURI, true},
		{"userinfo_endpoint", m.UserinfoEndpoint, false},
		{"revocation_endpoint", m.RevocationEndpoint, false},
		{"end_session_endpoint", m.EndSessionEndpoint, false},
	} {
		if e.url == "" && !e.required {
			continue
		}
		if err := p.checkEndpoint(e.url); err != nil {
			return fmt.Errorf("%s: %w", e.name, err)
		}
	}
	return nil
}

// useMTLS puts the endpoints for mutual TLS in the others' place.
func (m *Metadata) useMTLS() {
	for _, e := range []struct{ alias, endpoint *string }{
		{&m.MTLSAliases.TokenEndpoint, &m.TokenEndpoint},
		{&m.MTLSAliases.RevocationEndpoint, &m.RevocationEndpoint},
		{&m.MTLSAliases.UserinfoEndpoint, &m.UserinfoEndpoint},
	} {
		if *e.alias != "" {
			*e.endpoint = *e.alias
		}
	}
}

// checkEndpoint wants https; http only on loopback, and only for an issuer that is there itself (MD2).
func (p *Provider) checkEndpoint(s string) error {
	u, err := url.Parse(s)
	if err != nil || u.Host == "" || u.User != nil || u.Fragment != "" {
		return errors.New("it is no absolute URL")
	}
	if u.Scheme == "https" || u.Scheme == "http" && isLoopback(u.Hostname()) && strings.HasPrefix(p.config.Issuer, "http:") {
		return nil
	}
	return fmt.Errorf("its scheme is %q, must be https", printable(u.Scheme))
}

func isLoopback(host string) bool {
	a, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && a.IsLoopback()
}
