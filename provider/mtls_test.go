package provider_test

import (
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"math/big"
	"testing"
	"time"

	"github.com/cloakroom/cloakroom/provider"
	"github.com/cloakroom/cloakroom/secret"
	"github.com/cloakroom/cloakroom/test/providers/odd"
)

// SP7: with tls_client_auth the certificate authenticates this client, at the endpoints for mutual
// TLS.
func TestMutualTLSUsesItsOwnEndpoints(t *testing.T) {
	op := odd.New(t, odd.WithTLS(), odd.WithClient(odd.Client{ID: "cloakroom", Auth: "tls_client_auth", Alg: "RS256"}))
	op.OnDiscovery(func(d odd.Claims) {
		d["mtls_endpoint_aliases"] = odd.Claims{
			"token_endpoint":      op.URL(odd.Token) + "?mtls",
			"userinfo_endpoint":   op.URL(odd.Userinfo) + "?mtls",
			"revocation_endpoint": op.URL(odd.Revocation) + "?mtls",
		}
	})
	cert, key := certificate(t)
	ca := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: op.Server.Certificate().Raw})
	p := newProvider(t, op, func(s *setup) {
		s.ClientSecret, s.ClientCertPEM, s.ClientKeyPEM, s.RootCAsPEM = secret.Value{}, cert, secret.New(key), ca
	})
	got := tokens(t, p, op)
	if _, err := p.Userinfo(t.Context(), got.AccessToken, "alice"); err != nil {
		t.Error(err)
	}
	if err := p.Revoke(t.Context(), got.RefreshToken, "refresh_token"); err != nil {
		t.Error(err)
	}
	for _, endpoint := range []string{odd.Token, odd.Userinfo, odd.Revocation} {
		for _, r := range op.Requests(endpoint) {
			if r.RawQuery != "mtls" || endpoint != odd.Userinfo && r.Form.Get("client_id") != "cloakroom" {
				t.Errorf("%s: query %q, form %v", endpoint, r.RawQuery, r.Form)
			}
		}
	}

	without := newProvider(t, op, func(s *setup) { s.ClientAuth, s.ClientSecret, s.RootCAsPEM = "none", secret.Value{}, ca })
	if _, err := exchange(t, without, op); !errors.Is(err, provider.ErrMisconfigured) {
		t.Errorf("without a certificate: %v, want misconfigured", err)
	}
}

// certificate returns a self-signed certificate and its key, as PEM.
func certificate(t *testing.T) (cert, key string) {
	t.Helper()
	private := odd.NewKey("client", "ES256").Private
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1),
		Subject:      pkix.Name{CommonName: "cloakroom"},
		NotAfter:     time.Now().Add(time.Hour),
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, private.Public(), private)
	if err != nil {
		t.Fatal(err)
	}
	keyDER, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	certPEM := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	keyPEM := pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: keyDER})
	return string(certPEM), string(keyPEM)
}
