package provider_test

import (
	"crypto"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"strings"
	"testing"

	"github.com/go-jose/go-jose/v4"

	"github.com/cloakroom/cloakroom/provider"
	"github.com/cloakroom/cloakroom/secret"
	"github.com/cloakroom/cloakroom/test/providers/odd"
)

// pemOf is a private key as openssl writes it.
func pemOf(t *testing.T, key crypto.Signer) string {
	t.Helper()
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}))
}

func jwkOf(t *testing.T, k jose.JSONWebKey) string {
	t.Helper()
	b, err := k.MarshalJSON()
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func thumbprint(t *testing.T, key any) string {
	t.Helper()
	b, err := (&jose.JSONWebKey{Key: key}).Thumbprint(crypto.SHA256)
	if err != nil {
		t.Fatal(err)
	}
	return base64.RawURLEncoding.EncodeToString(b)
}

// OIDC Core §10.1, §9: an assertion names its key. Its algorithm is one that the key has, and that
// the operator has fixed or the provider lists. The public half of the key is published under the
// same kid.
func TestAssertionsNameTheirKeyAndAlgorithm(t *testing.T) {
	rsaKey, ecKey, edKey := odd.NewKey("", "RS256").Private, odd.NewKey("", "ES384").Private, odd.NewKey("", "EdDSA").Private
	type config = provider.Config
	for _, test := range []struct {
		name, key  string
		change     func(*config)
		listed     []string // token_endpoint_auth_signing_alg_values_supported
		public     any
		kid, alg   string
		publishAlg string
	}{
		{"RSA, nothing listed", pemOf(t, rsaKey), nil, nil, rsaKey.Public(), thumbprint(t, rsaKey), "RS256", ""},
		{
			"RSA, listed", pemOf(t, rsaKey), nil,
			[]string{"none", "HS256", "PS256", "RS256"},
			rsaKey.Public(), thumbprint(t, rsaKey), "RS256", "",
		},
		{
			"RSA at a provider of FAPI 2.0", pemOf(t, rsaKey), nil,
			[]string{"PS256", "ES256", "EdDSA"},
			rsaKey.Public(), thumbprint(t, rsaKey), "PS256", "",
		},
		{
			"RSA, nothing that fits", pemOf(t, rsaKey), nil,
			[]string{"none", "ES256"},
			rsaKey.Public(), thumbprint(t, rsaKey), "RS256", "",
		},
		{
			"RSA, fixed", pemOf(t, rsaKey),
			func(c *config) { c.ClientAssertionAlg, c.ClientKeyID = "PS512", "mine" },
			[]string{"RS256"},
			rsaKey.Public(), "mine", "PS512", "PS512",
		},
		{
			"RSA without a kid", pemOf(t, rsaKey), func(c *config) { c.ClientKeyID = "none" }, nil,
			rsaKey.Public(), "", "RS256", "",
		},
		{
			"RSA by its thumbprint", pemOf(t, rsaKey), func(c *config) { c.ClientKeyID = "thumbprint" }, nil,
			rsaKey.Public(), thumbprint(t, rsaKey), "RS256", "",
		},
		{"EC", pemOf(t, ecKey), nil, []string{"RS256", "ES256"}, ecKey.Public(), thumbprint(t, ecKey), "ES384", "ES384"},
		{"Ed25519", pemOf(t, edKey), nil, nil, edKey.Public(), thumbprint(t, edKey), "EdDSA", "EdDSA"},
		{
			"JWK", jwkOf(t, jose.JSONWebKey{Key: rsaKey, KeyID: "own", Algorithm: "PS256"}),
			func(c *config) { c.ClientAssertionAlg, c.ClientKeyID = "RS512", "mine" }, nil, rsaKey.Public(), "own", "PS256", "PS256",
		},
		{
			"JWK without names", jwkOf(t, jose.JSONWebKey{Key: rsaKey}), nil,
			[]string{"PS256"},
			rsaKey.Public(), thumbprint(t, rsaKey), "PS256", "",
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			op := odd.New(t, odd.WithClient(odd.Client{ID: "cloakroom", Auth: "private_key_jwt", PublicKey: test.public, Alg: "RS256"}))
			op.OnDiscovery(func(d odd.Claims) { d["token_endpoint_auth_signing_alg_values_supported"] = test.listed })
			p := newProvider(t, op, func(s *setup) {
				s.ClientKeyPEM = secret.New(test.key)
				if test.change != nil {
					test.change(&s.Config)
				}
			})
			_, _ = exchange(t, p, op) // odd takes a few algorithms alone
			head, _, _ := strings.Cut(op.Requests(odd.Token)[0].Form.Get("client_assertion"), ".")
			checkMember(t, "header", decoded(t, head), map[string]string{"kid": test.kid, "alg": test.alg, "typ": "JWT"})
			set, err := json.Marshal(p.PublicKeys())
			if err != nil || strings.Contains(string(set), `"d"`) || strings.Contains(string(set), `"p"`) {
				t.Fatalf("published = %s, %v", set, err)
			}
			var published struct{ Keys []json.RawMessage }
			if err := json.Unmarshal(set, &published); err != nil || len(published.Keys) != 1 {
				t.Fatalf("published = %s, %v", set, err)
			}
			checkMember(t, "published key", published.Keys[0], map[string]string{"kid": test.kid, "alg": test.publishAlg, "use": "sig"})
		})
	}
}

func decoded(t *testing.T, part string) []byte {
	t.Helper()
	b, err := base64.RawURLEncoding.DecodeString(part)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func checkMember(t *testing.T, what string, object []byte, want map[string]string) {
	t.Helper()
	var got map[string]any
	if err := json.Unmarshal(object, &got); err != nil {
		t.Fatalf("%s = %s, %v", what, object, err)
	}
	for name, value := range want {
		if s, _ := got[name].(string); s != value {
			t.Errorf("%s: %s = %q, want %q", what, name, s, value)
		}
	}
}

// A key that can't sign with the configured algorithm stops the start. The error names the
// algorithms that it can sign with.
func TestAssertionAlgorithmMustFitTheKey(t *testing.T) {
	ecKey := odd.NewKey("", "ES384").Private
	for name, c := range map[string]provider.Config{
		"another family":    {ClientKeyPEM: secret.New(pemOf(t, ecKey)), ClientAssertionAlg: "RS256"},
		"another curve":     {ClientKeyPEM: secret.New(pemOf(t, ecKey)), ClientAssertionAlg: "ES256"},
		"a JWK's":           {ClientKeyPEM: secret.New(jwkOf(t, jose.JSONWebKey{Key: ecKey, Algorithm: "ES512"}))},
		"HS with a key":     {ClientKeyPEM: secret.New(pemOf(t, ecKey)), ClientAssertionAlg: "HS256"},
		"a secret as a JWK": {ClientKeyPEM: secret.New(jwkOf(t, jose.JSONWebKey{Key: []byte(strings.Repeat("s", 64))}))},
		"RS with a secret": {
			ClientAuth: "client_secret_jwt", ClientSecret: secret.New(strings.Repeat("s", 64)),
			ClientAssertionAlg: "RS256",
		},
		"a secret too short": {
			ClientAuth: "client_secret_jwt", ClientSecret: secret.New(strings.Repeat("s", 40)),
			ClientAssertionAlg: "HS512",
		},
	} {
		c.ID, c.Issuer, c.ClientID = "main", "https://id.example.com", "c"
		if c.ClientAuth == "" {
			c.ClientAuth = "private_key_jwt"
		}
		if _, err := provider.New(c, provider.Options{}); !errors.Is(err, provider.ErrMisconfigured) {
			t.Errorf("%s: error = %v, want ErrMisconfigured", name, err)
		}
	}
}

// A client secret signs with an algorithm that the provider lists, if the secret is long enough for
// it (RFC 7518 §3.2).
func TestSecretsSignWithAListedAlgorithm(t *testing.T) {
	for length, want := range map[int]string{40: "HS256", 64: "HS512"} {
		op := odd.New(t, odd.WithClient(odd.Client{
			ID: "cloakroom", Secret: strings.Repeat("s", length), Auth: "client_secret_jwt", Alg: "RS256",
		}))
		op.OnDiscovery(func(d odd.Claims) { d["token_endpoint_auth_signing_alg_values_supported"] = []string{"HS512"} })
		p := newProvider(t, op)
		_, _ = exchange(t, p, op)
		head, _, _ := strings.Cut(op.Requests(odd.Token)[0].Form.Get("client_assertion"), ".")
		checkMember(t, "header", decoded(t, head), map[string]string{"alg": want, "kid": ""})
		if keys := p.PublicKeys().Keys; len(keys) != 0 {
			t.Errorf("a secret is published: %d keys", len(keys))
		}
	}
}
