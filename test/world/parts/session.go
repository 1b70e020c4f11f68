package parts

import (
	"context"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"testing"
	"time"

	"github.com/cloakroom/cloakroom/keys"
	"github.com/cloakroom/cloakroom/provider"
	"github.com/cloakroom/cloakroom/provider/jose"
	"github.com/cloakroom/cloakroom/secret"
	"github.com/cloakroom/cloakroom/session"
	"github.com/cloakroom/cloakroom/session/storage"
	"github.com/cloakroom/cloakroom/site"
	"github.com/cloakroom/cloakroom/site/sitetest"
	"github.com/cloakroom/cloakroom/test/providers/odd"
)

// Sessions makes a Manager over a store: one key, twelve hours, nothing logged, unless change says
// otherwise. Whoever asks for it closes it.
func Sessions(t testing.TB, store storage.Store, change ...func(*session.Options)) *session.Manager {
	t.Helper()
	o := session.Options{
		Store: store, Keys: keys.NewRing(keys.Key{1}), Lifetime: 12 * time.Hour,
		Site: sitetest.New(t, "http://localhost", site.Options{}), Logger: slog.New(slog.DiscardHandler),
	}
	for _, c := range change {
		c(&o)
	}
	m, err := session.NewManager(o)
	if err != nil {
		t.Fatalf("new manager: %v", err)
	}
	return m
}

// Provider is a client of op, reached by transport.
func Provider(
	t testing.TB, id string, op *odd.Provider, transport http.RoundTripper, change ...func(*provider.Config, *provider.Options),
) *provider.Provider {
	t.Helper()
	c := provider.Config{
		ID: id, Name: id, Issuer: op.Issuer(), ClientID: op.Client.ID, ClientSecret: secret.New(op.Client.Secret),
		ClientAuth: op.Client.Auth, IDTokenAlg: op.Client.Alg, Scopes: []string{"openid", "profile", "offline_access"},
		RedirectURI: "http://localhost/bff/callback/" + id,
	}
	o := provider.Options{Logger: slog.New(slog.DiscardHandler), Transport: transport}
	for _, f := range change {
		f(&c, &o)
	}
	p, err := provider.New(c, o)
	if err != nil {
		t.Fatalf("new provider: %v", err)
	}
	return p
}

// Login goes the whole way of the code grant at op and starts a session with what it brings.
func Login(t testing.TB, sessions *session.Manager, p *provider.Provider, op *odd.Provider) *session.Session {
	t.Helper()
	ctx, verifier := context.Background(), secret.New("a-verifier-of-at-least-forty-three-characters-x")
	const nonce = "the-nonce-of-the-login"
	to, err := p.AuthorizationURL(ctx, provider.AuthorizationRequest{State: "s", Nonce: nonce, Verifier: verifier})
	if err != nil {
		t.Fatalf("authorization URL: %v", err)
	}
	answer := httptest.NewRecorder()
	op.Server.Config.Handler.ServeHTTP(answer, httptest.NewRequest(http.MethodGet, to, nil))
	back, err := url.Parse(answer.Header().Get("Location"))
	if err != nil || back.Query().Get("code") == "" {
		t.Fatalf("authorization response = %d %q", answer.Code, answer.Header().Get("Location"))
	}
	tokens, err := p.Exchange(ctx, secret.New(back.Query().Get("code")), verifier)
	if err != nil {
		t.Fatalf("exchange the code: %v", err)
	}
	id, err := p.Verifier().IDToken(ctx, tokens.IDToken, jose.Attempt{Nonce: nonce, Started: time.Now()})
	if err != nil {
		t.Fatalf("verify the ID token: %v", err)
	}
	s, err := sessions.Start(ctx, httptest.NewRecorder(), &session.Record{
		Provider: p.ID(), Issuer: id.Issuer, Subject: id.Subject, SID: id.SID, Claims: id.Claims, AuthTime: id.AuthTime,
		Scope: tokens.Scope, TokenType: tokens.TokenType,
		AccessToken: tokens.AccessToken, RefreshToken: tokens.RefreshToken, IDToken: tokens.IDToken,
		AccessTokenObtained: tokens.Issued, AccessTokenExpires: tokens.Issued.Add(tokens.ExpiresIn),
	}, "")
	if err != nil {
		t.Fatalf("start a session: %v", err)
	}
	return s
}

// Waiting opens all that the outbox has at a time, and leases it for a minute.
func Waiting(t testing.TB, sessions *session.Manager, outbox storage.Outbox, at time.Time) []*session.Record {
	t.Helper()
	items, err := outbox.Lease(context.Background(), at, time.Minute, 100)
	if err != nil {
		t.Fatalf("read the outbox: %v", err)
	}
	var records []*session.Record
	for _, item := range items {
		rec, err := sessions.OpenRevocation(item)
		if err != nil {
			t.Fatalf("open a revocation: %v", err)
		}
		records = append(records, rec)
	}
	return records
}
