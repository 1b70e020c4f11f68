package jose_test

import (
	"crypto/x509"
	"encoding/pem"
	"strings"
	"testing"
	"time"

	gojose "github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"

	"github.com/cloakroom/cloakroom/provider/jose"
	"github.com/cloakroom/cloakroom/secret"
	"github.com/cloakroom/cloakroom/test/providers/odd"
)

// pemOf is a private key as openssl writes it.
func pemOf(t *testing.T, key *odd.Key) secret.Value {
	t.Helper()
	der, err := x509.MarshalPKCS8PrivateKey(key.Private)
	if err != nil {
		t.Fatal(err)
	}
	return secret.New(string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})))
}

// RFC 7523 §3, OIDC Core §9: what an assertion says, and that the published key verifies it.
func TestAssertionIsVerifiedByThePublishedKey(t *testing.T) {
	at := time.Unix(1_700_000_000, 0)
	for _, alg := range []string{"RS256", "PS384", "ES256", "ES512", "EdDSA"} {
		key, err := jose.PrivateAssertionKey(pemOf(t, odd.NewKey("", alg)), "mine", "")
		if err != nil {
			t.Fatal(err)
		}
		published := key.PublicKeys().Keys
		if len(published) != 1 || published[0].KeyID != "mine" || !published[0].IsPublic() {
			t.Fatalf("%s: published = %+v", alg, published)
		}
		ids := map[string]bool{}
		for range 2 {
			raw, err := key.Sign(client, issuer, []string{"none", alg}, at)
			if err != nil {
				t.Fatal(err)
			}
			token, err := jwt.ParseSigned(raw, []gojose.SignatureAlgorithm{gojose.SignatureAlgorithm(alg)})
			if err != nil {
				t.Fatal(err)
			}
			var c jwt.Claims
			if err := token.Claims(published[0].Key, &c); err != nil {
				t.Errorf("%s: %v", alg, err)
			}
			if c.Issuer != client || c.Subject != client || len(c.Audience) != 1 || c.Audience[0] != issuer ||
				!c.IssuedAt.Time().Equal(at) || !c.Expiry.Time().Equal(at.Add(time.Minute)) || ids[c.ID] {
				t.Errorf("%s: claims = %+v", alg, c)
			}
			ids[c.ID] = true
		}
	}
}

// A client secret signs, and is never published; without a key nothing is.
func TestSecretsAreNotPublished(t *testing.T) {
	key, err := jose.SecretAssertionKey(secret.New(clientSecret), "HS512")
	if err != nil {
		t.Fatal(err)
	}
	raw, err := key.Sign(client, issuer, nil, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	token, err := jwt.ParseSigned(raw, []gojose.SignatureAlgorithm{gojose.HS512})
	if err != nil {
		t.Fatal(err)
	}
	if err := token.Claims([]byte(clientSecret), &jwt.Claims{}); err != nil {
		t.Error(err)
	}
	if n := len(key.PublicKeys().Keys) + len((*jose.AssertionKey)(nil).PublicKeys().Keys); n != 0 {
		t.Errorf("published keys = %d, want 0", n)
	}
}

// What can't sign says so, and nothing of the key.
func TestKeysThatCanNotSign(t *testing.T) {
	ec := pemOf(t, odd.NewKey("", "ES384"))
	for _, test := range []struct {
		name     string
		key      secret.Value
		alg, why string
	}{
		{"another family", ec, "RS256", "the key can't sign with RS256, but with ES384"},
		{"no key", secret.New("hello"), "", "the client key is neither PEM nor a JWK"},
		{"no JWK", secret.New(`{"kty":"hello"}`), "", "the client key is not a private JWK"},
		{
			"a certificate", secret.New("-----BEGIN CERTIFICATE-----\naGVsbG8=\n-----END CERTIFICATE-----\n"), "",
			"the client key is no unencrypted PKCS #8, PKCS #1 or SEC 1 private key",
		},
	} {
		if _, err := jose.PrivateAssertionKey(test.key, "", test.alg); err == nil || err.Error() != test.why {
			t.Errorf("%s: error = %v, want %s", test.name, err, test.why)
		}
	}
	if _, err := jose.SecretAssertionKey(secret.New(strings.Repeat("s", 40)), "HS512"); err == nil {
		t.Error("a secret of 40 bytes signs with HS512")
	}
}
