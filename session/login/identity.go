package login

import (
	"context"
	"encoding/json"
	"fmt"
	"net/netip"
	"strings"

	"github.com/cloakroom/cloakroom/problem"
	"github.com/cloakroom/cloakroom/provider"
	"github.com/cloakroom/cloakroom/provider/jose"
	"github.com/cloakroom/cloakroom/secret"
	"github.com/cloakroom/cloakroom/session"
)

// An identity is what was verified about the user who logged in.
type identity struct {
	token  *jose.IDToken
	claims json.RawMessage // those of the ID token, completed by userinfo
	scope  string          // granted
}

// identify verifies the ID token, and then asks userinfo for more claims. No part of the token
// response is used before the ID token is verified (RFC 9700 §4.5.3.2). iss is that of the
// authorization response, "" if it had none.
func (l *Login) identify(
	ctx context.Context, p *provider.Provider, a *attempt, iss string,
	tokens *provider.TokenResponse,
) (*identity, *Failure) {
	if tokens.IDToken.IsZero() {
		return nil, broken(problem.IDTokenInvalid, "missing") // OIDC Core §3.1.3.3
	}
	token, err := p.Verifier().IDToken(ctx, tokens.IDToken, jose.Attempt{
		Nonce: a.Nonce, Issuer: iss, AccessToken: tokens.AccessToken,
		MaxAge: a.maxAge(), Started: a.started(),
		PromptLogin: a.PromptLogin, EssentialACR: a.ACR,
	})
	if err != nil {
		return nil, a.stepUpFailure(failureOf(err))
	}
	if holdsToken(token.Subject, tokens) { // the browser gets the subject, and must not get a token
		return nil, broken(problem.IDTokenInvalid, "sub")
	}
	scope := tokens.Scope
	if scope == "" {
		scope = strings.Join(p.Config().Scopes, " ") // the requested one (RFC 6749 §5.1)
	}
	claims, err := readClaims(token.Claims)
	if err != nil {
		return nil, failureOf(err)
	}
	if err := l.askUserinfo(ctx, p, tokens, token, claims); err != nil {
		return nil, failureOf(err)
	}
	object, err := json.Marshal(claims)
	if err != nil {
		return nil, failureOf(fmt.Errorf("write claims: %w", err))
	}
	return &identity{token: token, claims: object, scope: scope}, nil
}

// holdsToken reports whether a text of the provider contains one of the tokens of the same
// response.
func holdsToken(text string, tokens *provider.TokenResponse) bool {
	return secret.NewFinder(tokens.AccessToken, tokens.RefreshToken, tokens.IDToken).In(text)
}

// record returns the session's record without what comes from the browser. A signed session_state
// takes precedence over the one that came through the browser.
func (i *identity) record(
	p *provider.Provider, tokens *provider.TokenResponse, sessionState string,
) *session.Record {
	if i.token.SessionState != "" {
		sessionState = i.token.SessionState
	}
	return &session.Record{
		Provider: p.ID(), Issuer: i.token.Issuer, Subject: i.token.Subject,
		SID: i.token.SID, State: sessionState,
		Claims: i.claims, AuthTime: i.token.AuthTime, Scope: i.scope, TokenType: tokens.TokenType,
		AccessToken: tokens.AccessToken, RefreshToken: tokens.RefreshToken, IDToken: tokens.IDToken,
		AccessTokenObtained: tokens.Issued, AccessTokenExpires: tokens.Issued.Add(tokens.ExpiresIn),
	}
}

// shortened clears the part of an address that identifies a single household or machine. What is
// left is enough for users to recognize where a session of theirs began.
func shortened(addr netip.Addr) string {
	if !addr.IsValid() {
		return ""
	}
	ip := addr.Unmap().WithZone("")
	bits := 48
	if ip.Is4() {
		bits = 24
	}
	network, err := ip.Prefix(bits)
	if err != nil {
		return ""
	}
	return network.Addr().String()
}

// stepUpFailure changes the kind of a failure if a step-up's ID token lacks just what the step-up
// asked for.
func (a *attempt) stepUpFailure(f *Failure) *Failure {
	if a.StepUp && f.Kind == problem.IDTokenInvalid && (f.Code == "acr" || f.Code == "auth_time") {
		f.Kind = problem.StepUpNotMet
	}
	return f
}
