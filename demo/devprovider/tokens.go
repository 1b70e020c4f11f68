package devprovider

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/zitadel/oidc/v3/pkg/oidc"
	"github.com/zitadel/oidc/v3/pkg/op"
)

// RefreshTokenPrefix begins every refresh token of this provider, so that tests can find one
// anywhere.
const RefreshTokenPrefix = "devprovider-refresh-"

// A family is the sequence of refresh tokens of one login, of which only the last is valid. The
// fields above the empty line never change; storage.mu guards those below.
type family struct {
	clientID, subject, sid string
	scopes                 []string
	authTime, expires      time.Time

	current          string
	dead             bool
	renewals, reuses int
	renewed          time.Time // time of the last renewal
}

type accessToken struct {
	clientID, subject string
	scopes            []string
	expires           time.Time
	family            *family // nil if issued without a refresh token
}

// CreateAccessToken issues an access token without a refresh token.
func (s *storage) CreateAccessToken(_ context.Context, req op.TokenRequest) (string, time.Time, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	id, expires := s.issue(req, nil)
	return id, expires, nil
}

// CreateAccessAndRefreshTokens issues the first tokens of a family, or the next ones in exchange
// for the refresh token spent. Of two concurrent exchanges of one token, the second is a reuse.
func (s *storage) CreateAccessAndRefreshTokens(
	_ context.Context, req op.TokenRequest, spent string,
) (string, string, time.Time, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	f, err := s.familyFor(req, spent)
	if err != nil {
		return "", "", time.Time{}, err
	}
	if spent != "" {
		s.counts.Renewals++
		f.renewals++
		f.renewed = time.Now()
	} else {
		s.grants = append(s.grants, f)
	}
	f.current = RefreshTokenPrefix + rand.Text() + rand.Text()
	s.families[f.current] = f
	id, expires := s.issue(req, f)
	return id, f.current, expires, nil
}

// familyFor is the family that a token request continues or starts. The caller holds mu.
func (s *storage) familyFor(req op.TokenRequest, spent string) (*family, error) {
	if spent != "" {
		return s.useFamily(spent)
	}
	a, ok := req.(*authRequest)
	if !ok || a.session == nil {
		return nil, fmt.Errorf("issue refresh token for %T: %w", req, errUnknown)
	}
	return &family{
		clientID: a.GetClientID(), subject: a.session.subject, sid: a.session.sid,
		scopes: slices.Clone(a.GetScopes()), authTime: a.session.authTime,
		expires: time.Now().Add(s.refreshLifetime),
	}, nil
}

// useFamily finds the family of a valid refresh token. A spent token revokes its family: the owner
// or a thief uses it a second time, and the provider can't tell which (RFC 9700 §4.14.2). The
// caller holds mu.
func (s *storage) useFamily(token string) (*family, error) {
	f, ok := s.families[token]
	switch {
	case !ok:
		return nil, op.ErrInvalidRefreshToken
	case f.current != token:
		s.counts.Reuses++
		f.reuses++
		f.dead = true
		return nil, oidc.ErrInvalidGrant().WithDescription("this refresh token was used before")
	case !f.alive():
		return nil, oidc.ErrInvalidGrant().WithDescription("this refresh token was revoked or has expired")
	}
	return f, nil
}

func (f *family) alive() bool { return !f.dead && time.Now().Before(f.expires) }

// issue makes an access token, and removes expired ones. The caller holds mu.
func (s *storage) issue(req op.TokenRequest, f *family) (id string, expires time.Time) {
	now := time.Now()
	for old, t := range s.access {
		if now.After(t.expires) {
			delete(s.access, old)
		}
	}
	id, expires = rand.Text(), now.Add(s.accessLifetime)
	t := &accessToken{
		subject: req.GetSubject(), scopes: slices.Clone(req.GetScopes()), expires: expires, family: f,
	}
	switch req := req.(type) {
	case interface{ GetClientID() string }:
		t.clientID = req.GetClientID()
	case *clientRequest:
		t.clientID = req.clientID
	}
	s.access[id] = t
	s.counts.AccessTokensIssued++
	return id, expires
}

// TokenRequestByRefreshToken returns the grant of a refresh token.
func (s *storage) TokenRequestByRefreshToken(_ context.Context, token string) (op.RefreshTokenRequest, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	f, err := s.useFamily(token)
	if err != nil {
		return nil, err
	}
	return &refreshRequest{family: f, scopes: slices.Clone(f.scopes)}, nil
}

// GetRefreshTokenInfo returns the refresh token itself as its id.
func (s *storage) GetRefreshTokenInfo(_ context.Context, _, token string) (userID, tokenID string, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if f, ok := s.families[token]; ok {
		return f.subject, token, nil
	}
	return "", "", op.ErrInvalidRefreshToken
}

// RevokeToken revokes a refresh token's family with its access tokens, or one access token (RFC
// 7009 §2.1). An unknown token counts as revoked (§2.2).
func (s *storage) RevokeToken(_ context.Context, token, _, clientID string) *oidc.Error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if f, ok := s.families[token]; ok {
		if f.clientID != clientID {
			return oidc.ErrInvalidClient().WithDescription("not this client's token")
		}
		if f.alive() {
			s.counts.Revocations++
		}
		f.dead = true
		return nil
	}
	if t, ok := s.access[token]; ok {
		if t.clientID != clientID {
			return oidc.ErrInvalidClient().WithDescription("not this client's token")
		}
		delete(s.access, token)
	}
	return nil
}

// token returns a valid access token.
func (s *storage) token(id string) (*accessToken, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	t, ok := s.access[id]
	if !ok || time.Now().After(t.expires) || (t.family != nil && t.family.dead) {
		return nil, errors.New("access token is revoked or expired")
	}
	return t, nil
}

// SetUserinfoFromScopes does nothing, because op calls SetUserinfoFromRequest after it.
func (s *storage) SetUserinfoFromScopes(context.Context, *oidc.UserInfo, string, string, []string) error {
	return nil
}

// SetUserinfoFromRequest sets the claims of an ID token. Back-channel logout refers to a login by
// its sid.
func (s *storage) SetUserinfoFromRequest(
	_ context.Context, info *oidc.UserInfo, req op.IDTokenRequest, scopes []string,
) error {
	u, ok := userBySubject(req.GetSubject())
	if !ok {
		return fmt.Errorf("user: %w", errUnknown)
	}
	u.describe(info, scopes)
	switch req := req.(type) {
	case *authRequest:
		info.AppendClaims("sid", req.session.sid)
	case *refreshRequest:
		info.AppendClaims("sid", req.family.sid)
	}
	return nil
}

// SetUserinfoFromToken sets the claims of the userinfo endpoint.
func (s *storage) SetUserinfoFromToken(
	_ context.Context, info *oidc.UserInfo, tokenID, subject, _ string,
) error {
	t, err := s.token(tokenID)
	if err != nil {
		return err
	}
	u, ok := userBySubject(subject)
	if !ok {
		return fmt.Errorf("user: %w", errUnknown)
	}
	u.describe(info, t.scopes)
	return nil
}

// SetIntrospectionFromToken sets the answer of the introspection endpoint. A resource server may
// introspect every token, other clients only their own (RFC 7662 §4).
func (s *storage) SetIntrospectionFromToken(
	_ context.Context, answer *oidc.IntrospectionResponse, tokenID, subject, clientID string,
) error {
	t, err := s.token(tokenID)
	if err != nil {
		return err
	}
	if t.clientID != clientID && !s.clients[clientID].ResourceServer {
		return errors.New("not this client's token")
	}
	answer.Subject, answer.ClientID, answer.Scope = subject, t.clientID, t.scopes
	answer.TokenType, answer.Expiration = oidc.BearerToken, oidc.FromTime(t.expires)
	return nil
}

// GetPrivateClaimsFromScopes adds nothing to access tokens.
func (s *storage) GetPrivateClaimsFromScopes(context.Context, string, string, []string) (map[string]any, error) {
	return nil, nil
}
