package provider_test

import (
	"context"
	"log/slog"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/cloakroom/cloakroom/provider"
	"github.com/cloakroom/cloakroom/provider/jose"
	"github.com/cloakroom/cloakroom/secret"
	"github.com/cloakroom/cloakroom/test/providers/odd"
)

const (
	redirectURI = "https://app.example.com/bff/callback/main"
	nonce       = "n-0S6_WzA2Mj"
	verifier    = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

type setup struct {
	provider.Config
	provider.Options
}

// newProvider returns a Provider for op, altered by changes.
func newProvider(t *testing.T, op *odd.Provider, changes ...func(*setup)) *provider.Provider {
	t.Helper()
	s := setup{
		provider.Config{
			ID: "main", Name: "Main", Issuer: op.Issuer(), ClientID: op.Client.ID, ClientSecret: secret.New(op.Client.Secret),
			ClientAuth: op.Client.Auth, IDTokenAlg: op.Client.Alg, RedirectURI: redirectURI,
			PostLogoutRedirectURI: "https://app.example.com/bff/logout/callback/main", Scopes: []string{"openid"},
		},
		provider.Options{Timeout: 5 * time.Second, Logger: slog.New(slog.DiscardHandler)},
	}
	for _, change := range changes {
		change(&s)
	}
	p, err := provider.New(s.Config, s.Options)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// code logs in at the provider as a browser would, and returns the code.
func code(t *testing.T, p *provider.Provider, op *odd.Provider) secret.Value {
	t.Helper()
	to, err := p.AuthorizationURL(context.Background(), provider.AuthorizationRequest{
		State: "state", Nonce: nonce, Verifier: secret.New(verifier),
	})
	if err != nil {
		t.Fatal(err)
	}
	return secret.New(op.Login(to).Query().Get("code"))
}

// exchange logs in up to the token response.
func exchange(
	t *testing.T, p *provider.Provider, op *odd.Provider,
) (*provider.TokenResponse, error) {
	t.Helper()
	return p.Exchange(t.Context(), code(t, p, op), secret.New(verifier))
}

// tokens is exchange, but fails the test on an error.
func tokens(t *testing.T, p *provider.Provider, op *odd.Provider) *provider.TokenResponse {
	t.Helper()
	got, err := exchange(t, p, op)
	if err != nil {
		t.Fatal(err)
	}
	return got
}

// logIn makes a whole login, including the checks on the ID token.
func logIn(
	t *testing.T, p *provider.Provider, op *odd.Provider, changes ...func(*jose.Attempt),
) (*jose.IDToken, error) {
	t.Helper()
	got := tokens(t, p, op)
	want := jose.Attempt{Nonce: nonce, AccessToken: got.AccessToken, Started: time.Now()}
	for _, change := range changes {
		change(&want)
	}
	return p.Verifier().IDToken(t.Context(), got.IDToken, want)
}
