package jose

import (
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
	"slices"
	"strings"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"

	"github.com/cloakroom/cloakroom/secret"
)

// The values of id of PrivateAssertionKey that are not a kid themselves.
const (
	keyIDThumbprint = "thumbprint"
	keyIDNone       = "none" // some providers refuse a kid if the key was registered without one
)

// assertionLifetime limits how long a leaked client assertion could be used.
const assertionLifetime = time.Minute

// An AssertionKey signs client assertions (RFC 7523 §2.2). It is safe for concurrent use.
type AssertionKey struct {
	key any    // private key, or the secret's bytes
	id  string // kid; "" for none
	// algs are the algorithms that the key can sign with, in order of preference. There is only one
	// if the operator or the JWK names it.
	algs []string
}

// SecretAssertionKey returns a key that signs with the client secret (client_secret_jwt). alg is
// the algorithm; "" means one that the provider lists.
func SecretAssertionKey(clientSecret secret.Value, alg string) (*AssertionKey, error) {
	key := []byte(clientSecret.Reveal())
	return (&AssertionKey{key: key, algs: secretAlgs(len(key))}).fixed(alg)
}

// PrivateAssertionKey returns a key that signs with a private key (private_key_jwt): PEM, or one
// JWK, whose own kid and alg take precedence. id is the kid; "" or thumbprint means the thumbprint,
// none no kid. alg is as in SecretAssertionKey.
func PrivateAssertionKey(key secret.Value, id, alg string) (*AssertionKey, error) {
	jwk, err := parsePrivateJWK(key)
	if err != nil {
		return nil, err
	}
	a := &AssertionKey{key: jwk.Key, algs: keyAlgs(jwk.Key)}
	if a.id, err = keyID(jwk, id); err != nil {
		return nil, err
	}
	if jwk.Algorithm != "" {
		alg = jwk.Algorithm
	}
	return a.fixed(alg)
}

// fixed restricts a to alg, unless that is "". A key that can't sign must stop the start.
func (a *AssertionKey) fixed(alg string) (*AssertionKey, error) {
	if alg != "" {
		if !slices.Contains(a.algs, alg) {
			return nil, fmt.Errorf("the key can't sign with %.20s, but with %s", alg, strings.Join(a.algs, ", "))
		}
		a.algs = []string{alg}
	}
	if len(a.algs) == 0 {
		return nil, errors.New("the client key is neither RSA, ECDSA (P-256, P-384, P-521) nor Ed25519")
	}
	if _, err := jose.NewSigner(a.signingKey(a.algs[0]), nil); err != nil {
		return nil, fmt.Errorf("the key can't sign: %w", err)
	}
	return a, nil
}

// keyID returns the kid of a private key: the JWK's own, the configured one, or else the thumbprint
// (RFC 7638). OIDC Core §10.1 requires a kid if several keys are published.
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

func (a *AssertionKey) signingKey(alg string) jose.SigningKey {
	if a.id == "" {
		return jose.SigningKey{Algorithm: jose.SignatureAlgorithm(alg), Key: a.key}
	}
	return jose.SigningKey{Algorithm: jose.SignatureAlgorithm(alg), Key: jose.JSONWebKey{Key: a.key, KeyID: a.id}}
}

// alg returns the first algorithm of the key that the provider lists; if there is none, the one
// that providers most likely expect. The list only selects among what the key can do.
func (a *AssertionKey) alg(listed []string) string {
	for _, alg := range a.algs {
		if slices.Contains(listed, alg) {
			return alg
		}
	}
	return a.algs[0]
}

// parsePrivateJWK reads a private key: PEM (PKCS #8, PKCS #1, SEC 1), or one JWK, whose kid and alg
// are then used. Errors contain nothing of the key.
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

// keyAlgs returns the algorithms of a private key, the one that providers most likely expect first
// (RFC 7518 §3.1; the hash of ECDSA follows from the curve, §3.4). It returns none for a key that
// can't sign.
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

// secretAlgs returns the algorithms of a client secret of n bytes. A longer hash needs a secret of
// its own length (RFC 7518 §3.2). HS256 is accepted with a shorter secret, too, since the provider
// has issued it.
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

// PublicKeys returns the JWK Set (RFC 7517 §5) of the public key; it is empty if a is nil or a
// secret.
func (a *AssertionKey) PublicKeys() jose.JSONWebKeySet {
	set := jose.JSONWebKeySet{Keys: []jose.JSONWebKey{}}
	if a == nil {
		return set
	}
	private := jose.JSONWebKey{Key: a.key}
	k := private.Public()
	if k.Key == nil { // a secret has no public half
		return set
	}
	k.KeyID, k.Use = a.id, "sig"
	if len(a.algs) == 1 {
		k.Algorithm = a.algs[0]
	}
	set.Keys = append(set.Keys, k)
	return set
}

// Sign returns a fresh assertion of clientID for one audience (OIDC Core §9, TE6). listed are the
// algorithms that the provider accepts.
func (a *AssertionKey) Sign(clientID, audience string, listed []string, now time.Time) (string, error) {
	signer, err := jose.NewSigner(a.signingKey(a.alg(listed)), (&jose.SignerOptions{}).WithType("JWT"))
	if err != nil {
		return "", err
	}
	return jwt.Signed(signer).Claims(map[string]any{
		"iss": clientID,
		"sub": clientID,
		"aud": audience,
		"jti": rand.Text(),
		"iat": now.Unix(),
		"exp": now.Add(assertionLifetime).Unix(),
	}).Serialize()
}
