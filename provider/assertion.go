package provider

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"

	"github.com/cloakroom/cloakroom/secret"
)

// assertionLifetime bounds how long a client assertion that leaked could be used.
const assertionLifetime = time.Minute

// An assertionKey signs client assertions (RFC 7523 §2.2): client_secret_jwt, private_key_jwt.
type assertionKey struct{ key jose.SigningKey }

func newAssertionKey(c Config, method string) (*assertionKey, error) {
	key := jose.SigningKey{Algorithm: jose.HS256, Key: []byte(c.ClientSecret.Reveal())}
	if method == authKeyJWT {
		var err error
		if key, err = parseSigningKey(c.ClientKeyPEM); err != nil {
			return nil, err
		}
	}
	// A signer is made per assertion, but a key that can't sign must stop the start.
	if _, err := jose.NewSigner(key, nil); err != nil {
		return nil, fmt.Errorf("the key can't sign: %w", err)
	}
	return &assertionKey{key}, nil
}

// parseSigningKey reads a private key: PEM (PKCS #8, PKCS #1, SEC 1), or one JWK, whose kid and alg are
// then used. Errors hold nothing of it.
func parseSigningKey(v secret.Value) (jose.SigningKey, error) {
	text := strings.TrimSpace(v.Reveal())
	if strings.HasPrefix(text, "{") {
		var k jose.JSONWebKey
		if json.Unmarshal([]byte(text), &k) != nil || k.IsPublic() || !k.Valid() {
			return jose.SigningKey{}, errors.New("the client key is not a private JWK")
		}
		alg, err := signingAlg(k.Key)
		if k.Algorithm != "" {
			alg = jose.SignatureAlgorithm(k.Algorithm)
		}
		return jose.SigningKey{Algorithm: alg, Key: k}, err
	}
	block, _ := pem.Decode([]byte(text))
	if block == nil {
		return jose.SigningKey{}, errors.New("the client key is neither PEM nor a JWK")
	}
	key, err := parsePrivateKey(block.Bytes)
	if err != nil {
		return jose.SigningKey{}, err
	}
	alg, err := signingAlg(key)
	return jose.SigningKey{Algorithm: alg, Key: key}, err
}

func parsePrivateKey(der []byte) (any, error) {
	if k, err := x509.ParsePKCS8PrivateKey(der); err == nil {
		return k, nil
	}
	if k, err := x509.ParsePKCS1PrivateKey(der); err == nil {
		return k, nil
	}
	if k, err := x509.ParseECPrivateKey(der); err == nil {
		return k, nil
	}
	return nil, errors.New("the client key is no unencrypted PKCS #8, PKCS #1 or SEC 1 private key")
}

// signingAlg is the algorithm that providers most likely expect of a key of this type.
func signingAlg(key any) (jose.SignatureAlgorithm, error) {
	switch k := key.(type) {
	case *rsa.PrivateKey:
		return jose.RS256, nil
	case ed25519.PrivateKey:
		return jose.EdDSA, nil
	case *ecdsa.PrivateKey:
		switch k.Curve.Params().BitSize {
		case 256:
			return jose.ES256, nil
		case 384:
			return jose.ES384, nil
		case 521:
			return jose.ES512, nil
		}
	}
	return "", errors.New("the client key is neither RSA, ECDSA nor Ed25519")
}

// authenticate adds a fresh assertion (OIDC Core §9, TE6). Its audience is the issuer alone, as one
// string: several audiences, or the endpoint's URL, could be replayed elsewhere (FAPI 2.0 §5.3.3.1).
func (a *assertionKey) authenticate(p *Provider, form url.Values, _ http.Header) error {
	signer, err := jose.NewSigner(a.key, (&jose.SignerOptions{}).WithType("JWT"))
	if err != nil {
		return fmt.Errorf("sign client assertion for provider %q: %w", p.config.ID, err)
	}
	now := p.now()
	assertion, err := jwt.Signed(signer).Claims(map[string]any{
		"iss": p.config.ClientID,
		"sub": p.config.ClientID,
		"aud": p.config.Issuer,
		"jti": rand.Text(),
		"iat": now.Unix(),
		"exp": now.Add(assertionLifetime).Unix(),
	}).Serialize()
	if err != nil {
		return fmt.Errorf("sign client assertion for provider %q: %w", p.config.ID, err)
	}
	form.Set("client_id", p.config.ClientID)
	form.Set("client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:jwt-bearer")
	form.Set("client_assertion", assertion)
	return nil
}
