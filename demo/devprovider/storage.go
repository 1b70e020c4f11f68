package devprovider

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/zitadel/oidc/v3/pkg/oidc"
	"github.com/zitadel/oidc/v3/pkg/op"
)

// attemptLifetime is how long a login page or a code is valid.
const attemptLifetime = 10 * time.Minute

var errUnknown = errors.New("not known to the development provider")

// storage has the provider's state. It implements op.Storage; tokens.go has its methods about
// tokens, session.go those about logout.
type storage struct {
	issuer                          string
	clients                         map[string]registration // read only
	accessLifetime, refreshLifetime time.Duration
	signing                         signingKey
	// notify tells clients that a browser session ended. It is called without mu. Set by New.
	notify func(context.Context, *browserSession, []registration) []delivery

	mu       sync.Mutex // guards the fields below; never held across I/O
	attempts map[string]*authRequest
	codes    map[string]string          // authorization request by code
	sessions map[string]*browserSession // by cookie value
	families map[string]*family         // by each of their refresh tokens, spent ones too
	grants   []*family                  // all families, in the order of their logins
	access   map[string]*accessToken    // by jti
	counts   Status                     // counters only; Status fills in the gauges
}

var (
	_ op.Storage                        = (*storage)(nil)
	_ op.ClientCredentialsStorage       = (*storage)(nil)
	_ op.CanSetUserinfoFromRequest      = (*storage)(nil)
	_ op.CanTerminateSessionFromRequest = (*storage)(nil)
)

func newStorage(o Options) (*storage, error) {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		return nil, fmt.Errorf("make signing key of development provider: %w", err)
	}
	s := &storage{
		issuer: o.Issuer, clients: map[string]registration{},
		accessLifetime: o.AccessTokenLifetime, refreshLifetime: o.RefreshTokenLifetime,
		signing:  signingKey{id: rand.Text(), key: key},
		attempts: map[string]*authRequest{},
		codes:    map[string]string{},
		sessions: map[string]*browserSession{},
		families: map[string]*family{},
		access:   map[string]*accessToken{},
	}
	for _, c := range o.Clients {
		s.clients[c.ID] = registration{c}
	}
	return s, nil
}

// CreateAuthRequest keeps an authorization request until its code is redeemed. If the browser is
// logged in, the request is already satisfied; if not, prompt=none gets login_required.
func (s *storage) CreateAuthRequest(ctx context.Context, req *oidc.AuthRequest, _ string) (op.AuthRequest, error) {
	a := &authRequest{id: rand.Text(), created: time.Now(), req: req}
	if current := sessionFrom(ctx); a.satisfiedBy(current) {
		a.session = current
	}
	if a.session == nil && len(req.Prompt) == 1 && req.Prompt[0] == oidc.PromptNone {
		return nil, oidc.ErrLoginRequired() // OpenID Connect Core §3.1.2.6
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for id, old := range s.attempts {
		if time.Since(old.created) > attemptLifetime {
			delete(s.attempts, id)
		}
	}
	s.attempts[a.id] = a
	return a, nil
}

func (s *storage) AuthRequestByID(_ context.Context, id string) (op.AuthRequest, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if a, ok := s.attempts[id]; ok {
		return a, nil
	}
	return nil, fmt.Errorf("authorization request: %w", errUnknown)
}

// AuthRequestByCode removes the code, so that it can be redeemed only once, even concurrently (RFC
// 6749 §4.1.2).
func (s *storage) AuthRequestByCode(_ context.Context, code string) (op.AuthRequest, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	a, ok := s.attempts[s.codes[code]]
	delete(s.codes, code)
	if !ok {
		return nil, fmt.Errorf("code: %w", errUnknown)
	}
	return a, nil
}

func (s *storage) SaveAuthCode(_ context.Context, id, code string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.codes[code] = id
	return nil
}

func (s *storage) DeleteAuthRequest(_ context.Context, id string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.attempts, id)
	return nil
}

func (s *storage) GetClientByClientID(_ context.Context, id string) (op.Client, error) {
	if c, ok := s.clients[id]; ok {
		return c, nil
	}
	return nil, oidc.ErrInvalidClient().WithDescription("unknown client")
}

func (s *storage) AuthorizeClientIDSecret(_ context.Context, id, clientSecret string) error {
	if c, ok := s.clients[id]; !ok || !c.Secret.Equal(clientSecret) {
		return oidc.ErrInvalidClient().WithDescription("client authentication failed")
	}
	return nil
}

func (s *storage) ClientCredentials(ctx context.Context, id, clientSecret string) (op.Client, error) {
	if err := s.AuthorizeClientIDSecret(ctx, id, clientSecret); err != nil {
		return nil, err
	}
	return s.clients[id], nil
}

func (s *storage) ClientCredentialsTokenRequest(_ context.Context, id string, scopes []string) (op.TokenRequest, error) {
	return &clientRequest{clientID: id, scopes: scopes}, nil
}

func (s *storage) GetKeyByIDAndClientID(context.Context, string, string) (*jose.JSONWebKey, error) {
	return nil, fmt.Errorf("client key: %w", errUnknown)
}

func (s *storage) ValidateJWTProfileScopes(context.Context, string, []string) ([]string, error) {
	return nil, nil
}

func (s *storage) Health(context.Context) error { return nil }
