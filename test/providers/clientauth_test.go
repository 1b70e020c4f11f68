package providers

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
)

// An authMethod is a method of client authentication, with its registration and configuration.
type authMethod struct {
	name   string
	client map[string]any
	yaml   string
}

// Each method must work for all three requests that need it: the exchange of the code, the renewal
// and the revocation.
func TestEveryClientAuthenticationMethodWorks(t *testing.T) {
	for _, m := range []authMethod{
		{"client_secret_basic", nil, secretYAML},
		{"client_secret_post", nil, secretYAML},
		{"client_secret_jwt", map[string]any{"token_endpoint_auth_signing_alg": "HS256"}, secretYAML},
		keyMethod(t, "RS256"),
		keyMethod(t, "ES256"),
		{"none", map[string]any{"client_secret": nil, "grant_types": []string{"authorization_code", "refresh_token"}}, ""},
	} {
		t.Run(m.name+" "+fmt.Sprint(m.client["token_endpoint_auth_signing_alg"]), func(t *testing.T) {
			client := map[string]any{"token_endpoint_auth_method": m.name}
			maps.Copy(client, m.client)
			g := newRig(t, rigOptions{client: client, providerYAML: m.yaml + "\n    client_auth: " + m.name, accessTokenSecond: 1})
			b := NewBrowser(t)
			g.login(b, "alice")
			time.Sleep(1200 * time.Millisecond)
			g.call(b)
			if st := g.op.State(); st.Renewals == 0 || len(st.Refused) != 0 {
				t.Errorf("provider = %+v, want a renewal and nothing refused", st)
			}
			g.logout(b)
			eventually(t, "the refresh token to be revoked", func() bool { return g.op.State().RefreshTokens == 0 })
		})
	}
}

// keyMethod is private_key_jwt with a new key, whose public key is registered at the provider.
func keyMethod(t *testing.T, alg string) authMethod {
	t.Helper()
	var private, public any
	switch alg {
	case "RS256":
		k, err := rsa.GenerateKey(rand.Reader, 2048)
		if err != nil {
			t.Fatal(err)
		}
		private, public = k, k.Public()
	default:
		k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		private, public = k, k.Public()
	}
	der, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "client.pem")
	if err := os.WriteFile(file, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}), 0o600); err != nil {
		t.Fatal(err)
	}
	jwk := jose.JSONWebKey{Key: public, Use: "sig", Algorithm: alg}
	yaml := "    client_key_file: " + file
	if alg == "RS256" { // registered under its kid, as …/jwks/main publishes it
		thumbprint, err := jwk.Thumbprint(crypto.SHA256)
		if err != nil {
			t.Fatal(err)
		}
		jwk.KeyID = base64.RawURLEncoding.EncodeToString(thumbprint)
	} else { // registered without one
		yaml += "\n    client_key_id: none"
	}
	return authMethod{
		"private_key_jwt",
		map[string]any{
			"client_secret": nil, "token_endpoint_auth_signing_alg": alg,
			"jwks": jose.JSONWebKeySet{Keys: []jose.JSONWebKey{jwk}},
		},
		yaml,
	}
}
