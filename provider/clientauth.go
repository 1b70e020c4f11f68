package provider

import (
	"crypto"
	"crypto/rand"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/cloakroom/cloakroom/secret"
)

// assertionLife is how long a client assertion is good for.
const assertionLife = time.Minute

// authenticated makes a POST of a form with this client's authentication, in exactly the one way that
// is configured (RFC 6749 §2.3, OIDC Core §9). Its body can't be read again, so that nothing sends it twice.
func (p *Provider) authenticated(endpoint string, form url.Values) (*http.Request, error) {
	basic := false
	switch p.config.ClientAuth {
	case ClientSecretBasic:
		basic = true
	case ClientSecretPost:
		form.Set("client_id", p.config.ClientID)
		form.Set("client_secret", p.config.ClientSecret.Reveal())
	case ClientSecretJWT, PrivateKeyJWT:
		assertion, err := p.assertion()
		if err != nil {
			return nil, fmt.Errorf("%w: sign client assertion for provider %q: %w", ErrMisconfigured, p.config.ID, err)
		}
		form.Set("client_id", p.config.ClientID)
		form.Set("client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:jwt-bearer")
		form.Set("client_assertion", assertion)
	default: // tls_client_auth, none
		form.Set("client_id", p.config.ClientID)
	}
	r, err := http.NewRequest(http.MethodPost, endpoint, strings.NewReader(form.Encode()))
	if err != nil {
		return nil, fmt.Errorf("%w: endpoint of provider %q is no URL", ErrMisconfigured, p.config.ID)
	}
	r.GetBody = nil // net/http would send it again on a connection that was closed (CB14)
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.Header.Set("Accept", "application/json")
	if basic { // RFC 6749 §2.3.1: both are form-encoded first
		r.SetBasicAuth(url.QueryEscape(p.config.ClientID), url.QueryEscape(p.config.ClientSecret.Reveal()))
	}
	return r, nil
}

// assertion signs a JWT that says who we are (RFC 7523 §3): for this provider alone, once.
func (p *Provider) assertion() (string, error) {
	key := jose.SigningKey{Algorithm: jose.HS256, Key: []byte(p.config.ClientSecret.Reveal())}
	if p.config.ClientAuth == PrivateKeyJWT {
		alg, err := algorithmOf(p.signer)
		if err != nil {
			return "", err
		}
		key = jose.SigningKey{Algorithm: alg, Key: p.signer}
	}
	signer, err := jose.NewSigner(key, (&jose.SignerOptions{}).WithType("JWT"))
	if err != nil {
		return "", err
	}
	jti := make([]byte, 16)
	rand.Read(jti) // never fails (crypto/rand, Go 1.24)
	now := p.now()
	claims, err := json.Marshal(map[string]any{
		"iss": p.config.ClientID, "sub": p.config.ClientID, "aud": p.config.Issuer,
		"jti": base64.RawURLEncoding.EncodeToString(jti), "iat": now.Unix(), "exp": now.Add(assertionLife).Unix(),
	})
	if err != nil {
		return "", err
	}
	jws, err := signer.Sign(claims)
	if err != nil {
		return "", err
	}
	return jws.CompactSerialize()
}

// parsePrivateKey reads the first private key of a PEM text.
func parsePrivateKey(text secret.Value) (crypto.Signer, error) {
	for rest := []byte(text.Reveal()); ; {
		var block *pem.Block
		if block, rest = pem.Decode(rest); block == nil {
			return nil, errNoKey
		}
		var key any
		var err error
		switch block.Type {
		case "PRIVATE KEY":
			key, err = x509.ParsePKCS8PrivateKey(block.Bytes)
		case "RSA PRIVATE KEY":
			key, err = x509.ParsePKCS1PrivateKey(block.Bytes)
		case "EC PRIVATE KEY":
			key, err = x509.ParseECPrivateKey(block.Bytes)
		default:
			continue
		}
		if signer, ok := key.(crypto.Signer); ok && err == nil {
			return signer, nil
		}
		return nil, errNoKey
	}
}
