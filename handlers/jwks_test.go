package handlers_test

import (
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"net/http"
	"path/filepath"
	"strings"
	"testing"

	"github.com/cloakroom/cloakroom/secret"
	"github.com/cloakroom/cloakroom/test/providers/odd"
	"github.com/cloakroom/cloakroom/test/world"
)

// The endpoint publishes the public half of the key that this client signs with, and nothing else.
func TestPublicKeysAreServed(t *testing.T) {
	key := odd.NewKey("client", "ES256")
	g := world.NewStage(t, odd.WithClient(odd.Client{
		ID: "cloakroom", Secret: "secret",
		Auth: "private_key_jwt", PublicKey: key.Private.Public(), Alg: "RS256",
	}))
	der, err := x509.MarshalPKCS8PrivateKey(key.Private)
	if err != nil {
		t.Fatal(err)
	}
	cfg := g.Config(g.Port, "sqlite:"+g.DB, "")
	p := &cfg.Providers[0]
	p.ClientAuth, p.ClientSecret, p.ClientKeyFile = "private_key_jwt", secret.Value{}, filepath.Join(g.Dir, "key.pem")
	world.WriteFile(t, p.ClientKeyFile, string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})))
	g.Run(cfg)
	b := g.Browser()
	b.Login()
	r := b.Get("/bff/jwks/main", "X-CSRF", "")
	r.Want(t, http.StatusOK, "")
	var set struct{ Keys []map[string]string }
	if err := json.Unmarshal([]byte(r.Text), &set); err != nil || len(set.Keys) != 1 {
		t.Fatalf("key set = %s, %v", r.Text, err)
	}
	if k := set.Keys[0]; k["kty"] != "EC" || k["d"] != "" || k["kid"] == "" || r.Header.Get("Content-Type") != "application/jwk-set+json" {
		t.Errorf("key = %v, Content-Type %q", k, r.Header.Get("Content-Type"))
	}
	head, _, _ := strings.Cut(g.OP.Requests(odd.Token)[0].Form.Get("client_assertion"), ".")
	if head == "" {
		t.Error("no assertion was sent")
	}
	b.Get("/bff/jwks/nobody", "X-CSRF", "").Want(t, http.StatusNotFound, "unknown_provider")
	plain := world.New(t, "").Browser().Get("/bff/jwks/main", "X-CSRF", "")
	if plain.Want(t, http.StatusOK, ""); plain.Text != `{"keys":[]}` {
		t.Errorf("without a key = %s", plain.Text)
	}
}
