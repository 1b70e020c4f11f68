package provider

import (
	"context"
	"fmt"
	"net/http"
	"net/url"

	gojose "github.com/go-jose/go-jose/v4"

	"github.com/cloakroom/cloakroom/provider/jose"
)

// The client authentication methods (OIDC Core §9, RFC 8705 §2.1). Exactly one is used, the configured
// one: trying another would send a code or a rotating refresh token twice (TE2).
const (
	authBasic     = "client_secret_basic"
	authPost      = "client_secret_post"
	authSecretJWT = "client_secret_jwt"
	authKeyJWT    = "private_key_jwt"
	authTLS       = "tls_client_auth"
	authNone      = "none"
)

// A clientAuthentication adds to a request what proves who this client is.
type clientAuthentication func(ctx context.Context, p *Provider, form url.Values, header http.Header) error

// newClientAuthentication also returns the key that signs client assertions; nil where none does.
func newClientAuthentication(c Config) (clientAuthentication, *jose.AssertionKey, error) {
	method := c.ClientAuth
	if method == "" {
		method = authBasic
	}
	if c.ClientSecret.IsZero() && (method == authBasic || method == authPost || method == authSecretJWT) {
		return nil, nil, fmt.Errorf("provider %q: %w: client_auth %s needs a client_secret", c.ID, ErrMisconfigured, method)
	}
	switch method {
	case authBasic:
		return basicAuthentication, nil, nil
	case authPost:
		return postAuthentication, nil, nil
	case authSecretJWT, authKeyJWT:
		key, err := assertionKey(c, method)
		if err != nil {
			return nil, nil, fmt.Errorf("provider %q: %w: client_auth %s: %w", c.ID, ErrMisconfigured, method, err)
		}
		return assertionAuthentication, key, nil
	case authTLS, authNone: // the certificate is in the transport
		return nameOnly, nil, nil
	}
	return nil, nil, fmt.Errorf("provider %q: %w: client_auth %.50q is not known", c.ID, ErrMisconfigured, method)
}

// basicAuthentication form-encodes both parts first (RFC 6749 §2.3.1, TE1).
func basicAuthentication(_ context.Context, p *Provider, _ url.Values, header http.Header) error {
	r := http.Request{Header: header}
	r.SetBasicAuth(url.QueryEscape(p.config.ClientID), url.QueryEscape(p.config.ClientSecret.Reveal()))
	return nil
}

func postAuthentication(_ context.Context, p *Provider, form url.Values, _ http.Header) error {
	form.Set("client_id", p.config.ClientID)
	form.Set("client_secret", p.config.ClientSecret.Reveal())
	return nil
}

func nameOnly(_ context.Context, p *Provider, form url.Values, _ http.Header) error {
	form.Set("client_id", p.config.ClientID)
	return nil
}

func assertionKey(c Config, method string) (*jose.AssertionKey, error) {
	if method == authSecretJWT {
		return jose.SecretAssertionKey(c.ClientSecret, c.ClientAssertionAlg)
	}
	return jose.PrivateAssertionKey(c.ClientKeyPEM, c.ClientKeyID, c.ClientAssertionAlg)
}

// assertionAuthentication adds a fresh assertion (OIDC Core §9, TE6). Its audience is the issuer alone, as one
// string: several audiences, or the endpoint's URL, could be replayed elsewhere (FAPI 2.0 §5.3.3.1).
func assertionAuthentication(ctx context.Context, p *Provider, form url.Values, _ http.Header) error {
	m, err := p.Metadata(ctx)
	if err != nil {
		return err
	}
	assertion, err := p.assertion.Sign(p.config.ClientID, p.assertionAudience(m), m.TokenAuthAlgsSupported, p.now())
	if err != nil {
		return fmt.Errorf("sign client assertion for provider %q: %w", p.config.ID, err)
	}
	form.Set("client_id", p.config.ClientID)
	form.Set("client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:jwt-bearer")
	form.Set("client_assertion", assertion)
	return nil
}

// assertionAudience is the issuer alone. A template is no issuer; there it is the token endpoint (RFC
// 7523 §3, OIDC Core §9), which the provider of many tenants has one of.
func (p *Provider) assertionAudience(m *Metadata) string {
	if jose.IsTemplate(p.config.Issuer) {
		return m.TokenEndpoint
	}
	return p.config.Issuer
}

// PublicKeys is the JWK Set (RFC 7517 §5) of the keys that this client signs with; empty where it
// signs with none.
func (p *Provider) PublicKeys() gojose.JSONWebKeySet { return p.assertion.PublicKeys() }
