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

// An identity is who logged in, as far as it was verified.
type identity struct {
	token  *jose.IDToken
	claims json.RawMessage // the ID token's, completed by userinfo's
	scope  string          // granted
}

// identify verifies the ID token, and then asks userinfo for what else is known of the user. Nothing of
// the token response is used before the ID token was verified (RFC 9700 §4.5.3.2). iss is
// that of the authorization response, "" where it had none.
func (l *Login) identify(ctx context.Context, p *provider.Provider, a *attempt, iss string, tokens *provider.TokenResponse) (*identity, *Failure) {
	if tokens.IDToken.IsZero() {
		return nil, broken(problem.IDTokenInvalid, "missing") // OIDC Core §3.1.3.3
	}
	token, err := p.Verifier().IDToken(ctx, tokens.IDToken, jose.Attempt{
		Nonce: a.Nonce, Issuer: iss, AccessToken: tokens.AccessToken, MaxAge: a.maxAge(), Started: a.started(),
		PromptLogin: a.PromptLogin, EssentialACR: a.ACR,
	})
	if err != nil {
		return nil, a.tooWeak(because(err))
	}
	if holdsToken(token.Subject, tokens) {
		return nil, broken(problem.IDTokenInvalid, "sub") // the browser is told the subject, and must not get a token
	}
	scope := tokens.Scope
	if scope == "" {
		scope = strings.Join(p.Config().Scopes, " ") // as asked (RFC 6749 §5.1)
	}
	claims, err := readClaims(token.Claims)
	if err != nil {
		return nil, because(err)
	}
	if err := l.askUserinfo(ctx, p, tokens, token, claims); err != nil {
		return nil, because(err)
	}
	object, err := json.Marshal(claims)
	if err != nil {
		return nil, because(fmt.Errorf("write claims: %w", err))
	}
	return &identity{token: token, claims: object, scope: scope}, nil
}

// holdsToken reports whether a text of the provider's holds one of the tokens that came with it.
func holdsToken(text string, tokens *provider.TokenResponse) bool {
	return secret.NewFinder(tokens.AccessToken, tokens.RefreshToken, tokens.IDToken).In(text)
}

// record is the session's record, but for the browser's part. A signed session_state wins over the
// one that came through the browser.
func (i *identity) record(p *provider.Provider, tokens *provider.TokenResponse, sessionState string) *session.Record {
	if i.token.SessionState != "" {
		sessionState = i.token.SessionState
	}
	return &session.Record{
		Provider: p.ID(), Issuer: i.token.Issuer, Subject: i.token.Subject, SID: i.token.SID, State: sessionState,
		Claims: i.claims, AuthTime: i.token.AuthTime, Scope: i.scope, TokenType: tokens.TokenType,
		AccessToken: tokens.AccessToken, RefreshToken: tokens.RefreshToken, IDToken: tokens.IDToken,
		AccessTokenObtained: tokens.Issued, AccessTokenExpires: tokens.Issued.Add(tokens.ExpiresIn),
	}
}

// shortened is an address with the part that names a single household or machine set to zero: people
// shall know where a session of theirs began, and nobody needs more.
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

// tooWeak says of a step-up's ID token that broke just what the step-up asked for, that it did.
func (a *attempt) tooWeak(f *Failure) *Failure {
	if a.StepUp && f.Kind == problem.IDTokenInvalid && (f.Code == "acr" || f.Code == "auth_time") {
		f.Kind = problem.StepUpNotMet
	}
	return f
}
