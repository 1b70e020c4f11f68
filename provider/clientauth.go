package provider

import (
	"context"
	"fmt"
	"net/http"
	"net/url"

	gojose "github.com/go-jose/go-jose/v4"

	"github.com/cloakroom/cloakroom/provider/jose"
)

// The client authentication methods (OIDC Core §9, RFC 8705 §2.1). Only the configured one is used:
// a second attempt by another method would send a code or a rotating refresh token twice (TE2).
const (
	authBasic     = "client_secret_basic"
	authPost      = "client_secret_post"
	authSecretJWT = "client_secret_jwt"
	authKeyJWT    = "private_key_jwt"
	authTLS       = "tls_client_auth"
	authNone      = "none"
)

// A clientAuthentication adds to a request the proof of who this client is.
type clientAuthentication func(ctx context.Context, p *Provider, form url.Values, header http.Header) error

// newClientAuthentication returns the configured method, and the key that signs client assertions;
// nil if the method needs none.
func newClientAuthentication(c Config) (clientAuthentication, *jose.AssertionKey, error) {
	method := c.ClientAuth
	if method == "" {
		method = authBasic
	}
	fault := func(format string, args ...any) error {
		err := fmt.Errorf("client_auth "+format, args...)
		return fmt.Errorf("provider %q: %w: %w", c.ID, ErrMisconfigured, err)
	}
	needsSecret := method == authBasic || method == authPost || method == authSecretJWT
	if needsSecret && c.ClientSecret.IsZero() {
		return nil, nil, fault("%s needs a client_secret", method)
	}
	switch method {
	case authBasic:
		return basicAuthentication, nil, nil
	case authPost:
		return postAuthentication, nil, nil
	case authSecretJWT, authKeyJWT:
		key, err := assertionKey(c, method)
		if err != nil {
			return nil, nil, fault("%s: %w", method, err)
		}
		return assertionAuthentication, key, nil
	case authTLS, authNone: // the certificate is in the transport
		return clientIDOnly, nil, nil
	}
	return nil, nil, fault("%.50q is not known", method)
}

// basicAuthentication form-encodes the client_id and the secret first (RFC 6749 §2.3.1, TE1).
func basicAuthentication(_ context.Context, p *Provider, _ url.Values, header http.Header) error {
	r := http.Request{Header: header}
	id, password := p.config.ClientID, p.config.ClientSecret.Reveal()
	r.SetBasicAuth(url.QueryEscape(id), url.QueryEscape(password))
	return nil
}

func postAuthentication(_ context.Context, p *Provider, form url.Values, _ http.Header) error {
	form.Set("client_id", p.config.ClientID)
	form.Set("client_secret", p.config.ClientSecret.Reveal())
	return nil
}

func clientIDOnly(_ context.Context, p *Provider, form url.Values, _ http.Header) error {
	form.Set("client_id", p.config.ClientID)
	return nil
}

func assertionKey(c Config, method string) (*jose.AssertionKey, error) {
	if method == authSecretJWT {
		return jose.SecretAssertionKey(c.ClientSecret, c.ClientAssertionAlg)
	}
	return jose.PrivateAssertionKey(c.ClientKeyPEM, c.ClientKeyID, c.ClientAssertionAlg)
}

// assertionAuthentication adds a fresh client assertion (OIDC Core §9, TE6). Its audience is the
// issuer alone, as one string: an assertion with several audiences, or for the endpoint's URL,
// could be replayed to another server (FAPI 2.0 §5.3.3.1).
func assertionAuthentication(
	ctx context.Context, p *Provider, form url.Values, _ http.Header,
) error {
	m, err := p.Metadata(ctx)
	if err != nil {
		return err
	}
	assertion, err := p.assertion.Sign(
		p.config.ClientID, p.assertionAudience(m), m.TokenAuthAlgsSupported, p.now(),
	)
	if err != nil {
		return fmt.Errorf("sign client assertion for provider %q: %w", p.config.ID, err)
	}
	form.Set("client_id", p.config.ClientID)
	form.Set("client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:jwt-bearer")
	form.Set("client_assertion", assertion)
	return nil
}

// assertionAudience returns the issuer. An issuer template identifies no issuer; the audience is
// then the token endpoint (RFC 7523 §3, OIDC Core §9), which is the same for all tenants.
func (p *Provider) assertionAudience(m *Metadata) string {
	if jose.IsTemplate(p.config.Issuer) {
		return m.TokenEndpoint
	}
	return p.config.Issuer
}

// PublicKeys returns the JWK Set (RFC 7517 §5) of the keys that this client signs with. It is empty
// if the client signs nothing.
func (p *Provider) PublicKeys() gojose.JSONWebKeySet { return p.assertion.PublicKeys() }
