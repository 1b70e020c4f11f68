package provider

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"

	"github.com/cloakroom/cloakroom/secret"
)

// The values of Config.ClientKeyID that are no kid.
const (
	keyIDThumbprint = "thumbprint"
	keyIDNone       = "none" // a key that was registered without a kid is found by none at some providers
)

// assertionLifetime bounds how long a client assertion that leaked could be used.
const assertionLifetime = time.Minute

// An assertionKey signs client assertions (RFC 7523 §2.2): client_secret_jwt, private_key_jwt.
type assertionKey struct {
	key  any      // private key, or the secret's bytes
	id   string   // kid; "" for none
	algs []string // that the key can sign with, in the order of our choice; one where the operator or the JWK says so
}

func newAssertionKey(c Config, method string) (*assertionKey, error) {
	a := &assertionKey{key: []byte(c.ClientSecret.Reveal()), algs: secretAlgs(len(c.ClientSecret.Reveal()))}
	fixed := c.ClientAssertionAlg
	if method == authKeyJWT {
		jwk, err := parsePrivateJWK(c.ClientKeyPEM)
		if err != nil {
			return nil, err
		}
		if a.id, err = keyID(jwk, c.ClientKeyID); err != nil {
			return nil, err
		}
		a.key, a.algs = jwk.Key, keyAlgs(jwk.Key)
		if jwk.Algorithm != "" {
			fixed = jwk.Algorithm
		}
	}
	if fixed != "" {
		if !slices.Contains(a.algs, fixed) {
			return nil, fmt.Errorf("the key can't sign with %.20s, but with %s", fixed, strings.Join(a.algs, ", "))
		}
		a.algs = []string{fixed}
	}
	if len(a.algs) == 0 {
		return nil, errors.New("the client key is neither RSA, ECDSA (P-256, P-384, P-521) nor Ed25519")
	}
	// A signer is made per assertion, but a key that can't sign must stop the start.
	if _, err := jose.NewSigner(a.signingKey(a.algs[0]), nil); err != nil {
		return nil, fmt.Errorf("the key can't sign: %w", err)
	}
	return a, nil
}

// keyID is the kid of a private key: the JWK's own, the configured one, or else the thumbprint
// (RFC 7638). OIDC Core §10.1 wants one where several keys are published.
func keyID(k jose.JSONWebKey, configured string) (string, error) {
	switch {
	case k.KeyID != "":
		return k.KeyID, nil
	case configured == keyIDNone:
		return "", nil
	case configured != "" && configured != keyIDThumbprint:
		return configured, nil
	}
	print, err := k.Thumbprint(crypto.SHA256)
	if err != nil {
		return "", errors.New("the client key has no thumbprint")
	}
	return base64.RawURLEncoding.EncodeToString(print), nil
}

func (a *assertionKey) signingKey(alg string) jose.SigningKey {
	if a.id == "" {
		return jose.SigningKey{Algorithm: jose.SignatureAlgorithm(alg), Key: a.key}
	}
	return jose.SigningKey{Algorithm: jose.SignatureAlgorithm(alg), Key: jose.JSONWebKey{Key: a.key, KeyID: a.id}}
}

// alg is the first of the key's algorithms that the provider takes; without a list of those, the one
// that providers most likely expect. What the provider lists chooses among what the key can do, no more.
func (a *assertionKey) alg(listed []string) string {
	for _, alg := range a.algs {
		if slices.Contains(listed, alg) {
			return alg
		}
	}
	return a.algs[0]
}

// parsePrivateJWK reads a private key: PEM (PKCS #8, PKCS #1, SEC 1), or one JWK, whose kid and alg are
// then used. Errors hold nothing of it.
func parsePrivateJWK(v secret.Value) (jose.JSONWebKey, error) {
	text := strings.TrimSpace(v.Reveal())
	if strings.HasPrefix(text, "{") {
		var k jose.JSONWebKey
		if json.Unmarshal([]byte(text), &k) != nil || k.IsPublic() || !k.Valid() {
			return jose.JSONWebKey{}, errors.New("the client key is not a private JWK")
		}
		return k, nil
	}
	block, _ := pem.Decode([]byte(text))
	if block == nil {
		return jose.JSONWebKey{}, errors.New("the client key is neither PEM nor a JWK")
	}
	key, err := parsePrivateKey(block.Bytes)
	return jose.JSONWebKey{Key: key}, err
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

// keyAlgs are the algorithms of a private key, the one that providers most likely expect first (RFC
// 7518 §3.1; ECDSA's hash follows its curve, §3.4); none for a key that can't sign.
func keyAlgs(key any) []string {
	switch k := key.(type) {
	case *rsa.PrivateKey:
		return []string{"RS256", "PS256", "RS384", "PS384", "RS512", "PS512"}
	case ed25519.PrivateKey:
		return []string{"EdDSA"}
	case *ecdsa.PrivateKey:
		switch k.Curve.Params().BitSize {
		case 256:
			return []string{"ES256"}
		case 384:
			return []string{"ES384"}
		case 521:
			return []string{"ES512"}
		}
	}
	return nil
}

// secretAlgs are the algorithms of a client secret of n bytes: for the longer hashes it must be as long
// as they are (RFC 7518 §3.2). HS256 is taken with a short one, too: the provider has issued it.
func secretAlgs(n int) []string {
	algs := []string{"HS256"}
	if n >= 48 {
		algs = append(algs, "HS384")
	}
	if n >= 64 {
		algs = append(algs, "HS512")
	}
	return algs
}

// PublicKeys is the JWK Set (RFC 7517 §5) of the keys that this client signs with; empty where it
// signs with none.
func (p *Provider) PublicKeys() jose.JSONWebKeySet {
	set := jose.JSONWebKeySet{Keys: []jose.JSONWebKey{}}
	if p.assertion == nil {
		return set
	}
	private := jose.JSONWebKey{Key: p.assertion.key}
	k := private.Public()
	if k.Key == nil { // a secret has no public half
		return set
	}
	k.KeyID, k.Use = p.assertion.id, "sig"
	if len(p.assertion.algs) == 1 {
		k.Algorithm = p.assertion.algs[0]
	}
	set.Keys = append(set.Keys, k)
	return set
}

// assertionAudience is the issuer alone. A template is no issuer; there it is the token endpoint (RFC
// 7523 §3, OIDC Core §9), which the provider of many tenants has one of.
func (p *Provider) assertionAudience(m *Metadata) string {
	if p.issuers.tenants != nil {
		return m.TokenEndpoint
	}
	return p.config.Issuer
}

// authenticate adds a fresh assertion (OIDC Core §9, TE6). Its audience is the issuer alone, as one
// string: several audiences, or the endpoint's URL, could be replayed elsewhere (FAPI 2.0 §5.3.3.1).
func (a *assertionKey) authenticate(ctx context.Context, p *Provider, form url.Values, _ http.Header) error {
	m, err := p.Metadata(ctx)
	if err != nil {
		return err
	}
	signer, err := jose.NewSigner(a.signingKey(a.alg(m.TokenAuthAlgsSupported)), (&jose.SignerOptions{}).WithType("JWT"))
	if err != nil {
		return fmt.Errorf("sign client assertion for provider %q: %w", p.config.ID, err)
	}
	now := p.now()
	assertion, err := jwt.Signed(signer).Claims(map[string]any{
		"iss": p.config.ClientID,
		"sub": p.config.ClientID,
		"aud": p.assertionAudience(m),
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
