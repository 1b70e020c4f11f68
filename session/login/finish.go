package login

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/cloakroom/cloakroom/provider"
	"github.com/cloakroom/cloakroom/secret"
	"github.com/cloakroom/cloakroom/session"
)

// maxCode bounds an authorization code; real ones stay under 2 KiB.
const maxCode = 8 << 10

// An Outcome is a login that worked.
type Outcome struct {
	ReturnURL string
	Session   *session.Session
	Silent    bool
}

// Finish ends the attempt that the response's state names: it checks the authorization response,
// redeems the code, checks what came, and starts the session, whose cookie it sets on w. An error is
// a *Failure; tokens that were issued before it are in the outbox then.
func (l *Login) Finish(w http.ResponseWriter, r *http.Request, providerID string, params url.Values) (*Outcome, error) {
	a, err := l.attempt(w, r, providerID, params)
	if err != nil {
		l.Logger.WarnContext(r.Context(), "login failed", "provider", providerID, "error", err)
		return nil, err
	}
	outcome, err := l.finish(w, r, a, params)
	if err != nil {
		f := asFailure(l, err, a)
		l.Logger.WarnContext(r.Context(), "login failed", "provider", providerID, "error", f)
		return nil, f
	}
	l.total.WithLabelValues(providerID, "ok").Inc()
	return outcome, nil
}

// asFailure completes an error with what the attempt knows.
func asFailure(l *Login, err error, a attempt) *Failure {
	var f *Failure
	if !errors.As(err, &f) {
		f = l.failure(kindOf(err), a.Provider, err)
	}
	f.ReturnURL, f.Silent = a.ReturnURL, a.Silent
	return f
}

// attempt finds the attempt that a response belongs to, checking the response's form on the way.
// Every refusal here comes before anything was sent to any provider.
func (l *Login) attempt(w http.ResponseWriter, r *http.Request, providerID string, params url.Values) (attempt, error) {
	if err := checkForm(params); err != nil {
		return attempt{}, l.failure(InvalidResponse, providerID, err)
	}
	state := params.Get("state")
	a, err := l.cookies.take(w, r, state)
	switch {
	case errors.Is(err, errExpired):
		return a, l.failure(AttemptExpired, providerID, err).returning(a.ReturnURL)
	case err != nil && l.spent.Contains(state):
		return a, l.failure(AttemptSpent, providerID, err)
	case err != nil:
		return a, l.failure(CookieMissing, providerID, err)
	case a.Provider != providerID: // mix-up: an answer for one provider at another's redirect URI (RFC 9700 §4.4)
		return a, l.failure(InvalidResponse, providerID, errors.New("the response came to another provider's redirect URI")).returning(a.ReturnURL)
	case !l.spend(state):
		return a, l.failure(AttemptSpent, providerID, errors.New("the response was delivered before")).returning(a.ReturnURL)
	}
	return a, nil
}

// spend marks a state as used and reports whether it was new: of two deliveries at once, one goes on.
func (l *Login) spend(state string) bool {
	known, _ := l.spent.ContainsOrAdd(state, struct{}{})
	return !known
}

// checkForm refuses what could be read in two ways (RFC 6749 §3.1: parameters must not repeat).
func checkForm(params url.Values) error {
	for _, name := range []string{"code", "state", "iss", "error", "error_description", "error_uri"} {
		if len(params[name]) > 1 {
			return fmt.Errorf("parameter %s stands there %d times", name, len(params[name]))
		}
	}
	code, failed := params.Get("code"), params.Get("error")
	switch {
	case code != "" && failed != "":
		return errors.New("the response has both a code and an error")
	case code == "" && failed == "":
		return errors.New("the response has neither a code nor an error")
	case len(code) > maxCode:
		return fmt.Errorf("the code is longer than %d bytes", maxCode)
	case params.Get("state") == "":
		return errors.New("the response has no state")
	}
	return nil
}

func (l *Login) finish(w http.ResponseWriter, r *http.Request, a attempt, params url.Values) (*Outcome, error) {
	ctx, p := r.Context(), l.Providers[a.Provider]
	if err := checkIssuer(ctx, p, params); err != nil {
		return nil, err
	}
	if params.Get("error") != "" {
		return nil, l.refusal(a, params)
	}
	tokens, err := p.Exchange(ctx, secret.New(params.Get("code")), secret.New(a.Verifier))
	if err != nil {
		var broken *provider.InvalidResponseError
		if errors.As(err, &broken) && broken.Issued != nil {
			l.giveBack(ctx, a.Provider, broken.Issued)
		}
		return nil, err
	}
	rec, err := l.record(ctx, r, p, a, tokens)
	if err != nil {
		l.giveBack(ctx, a.Provider, tokens)
		return nil, err
	}
	previous := session.Name(a.Previous)
	if now := l.Sessions.NameFromRequest(r); now != "" {
		previous = now
	}
	s, err := l.Sessions.Start(ctx, w, rec, previous)
	if err != nil {
		l.giveBack(ctx, a.Provider, tokens)
		return nil, err
	}
	if previous != session.Name(a.Previous) && a.Previous != "" {
		_ = l.Sessions.End(ctx, session.Name(a.Previous), session.ReasonReplaced) // Start logs its like; this one expires at worst
	}
	return &Outcome{ReturnURL: a.ReturnURL, Session: s, Silent: a.Silent}, nil
}

// checkIssuer is RFC 9207 §2.4: `iss` must be this provider's, by simple string comparison, and must
// be there if the provider promises it. It comes before the code goes anywhere.
func checkIssuer(ctx context.Context, p *provider.Provider, params url.Values) error {
	if params.Has("iss") {
		if params.Get("iss") != p.Issuer() {
			return errors.New("the response names another issuer")
		}
		return nil
	}
	m, err := p.Metadata(ctx)
	if err != nil {
		return err
	}
	if m.IssParameterSupported {
		return errors.New("the response names no issuer, though the provider promises to")
	}
	return nil
}

// refusal is the provider's error, made fit to be shown.
func (l *Login) refusal(a attempt, params url.Values) error {
	kind := ProviderRefused
	switch params.Get("error") {
	case "access_denied":
		kind = AccessDenied
	case "unauthorized_client", "unsupported_response_type", "invalid_scope", "invalid_request":
		kind = ProviderMisconfigured
	case "server_error", "temporarily_unavailable":
		kind = ProviderUnreachable
	}
	f := l.failure(kind, a.Provider, nil)
	f.Code, f.Description = printable(params.Get("error"), 64), printable(params.Get("error_description"), 200)
	return f
}

// record checks the token response and makes the session's record of it. Nothing in it is used
// before the ID token was verified (ID10).
func (l *Login) record(ctx context.Context, r *http.Request, p *provider.Provider, a attempt, tokens *provider.TokenResponse) (*session.Record, error) {
	if tokens.IDToken.IsZero() {
		return nil, errors.New("the token response has no ID token")
	}
	want := provider.Expectation{
		Nonce: a.Nonce, AccessToken: tokens.AccessToken, AttemptStarted: time.Unix(a.Started, 0),
		PromptLogin: slices.Contains(strings.Fields(a.Prompt), "login"),
	}
	if seconds, err := strconv.Atoi(a.MaxAge); err == nil {
		age := time.Duration(seconds) * time.Second
		want.MaxAge = &age
	}
	id, err := p.VerifyIDToken(ctx, tokens.IDToken, want)
	if err != nil {
		return nil, err
	}
	claims, err := l.claims(ctx, p, id, tokens)
	if err != nil {
		return nil, err
	}
	rec := &session.Record{
		Provider: a.Provider, Issuer: id.Issuer, Subject: id.Subject, SID: id.SID, State: id.SessionState,
		Claims: claims, AuthTime: id.AuthTime, Scope: tokens.Scope, TokenType: tokens.TokenType,
		AccessToken: tokens.AccessToken, RefreshToken: tokens.RefreshToken, IDToken: tokens.IDToken,
		AccessTokenObtained: tokens.Received, AccessTokenExpires: tokens.Received.Add(tokens.ExpiresIn),
		UserAgent: printable(r.UserAgent(), 256),
	}
	if l.ClientAddr != nil {
		rec.RemoteAddr = l.ClientAddr(r)
	}
	if p.Config().RefreshOff && !rec.RefreshToken.IsZero() {
		l.giveBack(ctx, a.Provider, &provider.TokenResponse{RefreshToken: rec.RefreshToken})
		rec.RefreshToken = secret.Value{}
	}
	return rec, nil
}

// giveBack has tokens revoked that no session will hold. The outbox does it; if even that can't be
// reached, one direct try is all that is left.
func (l *Login) giveBack(ctx context.Context, providerID string, tokens *provider.TokenResponse) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
	defer cancel()
	rec := &session.Record{
		Provider: providerID, AccessToken: tokens.AccessToken, RefreshToken: tokens.RefreshToken,
		AccessTokenExpires: tokens.Received.Add(tokens.ExpiresIn),
	}
	if err := l.Sessions.Enqueue(ctx, rec, session.ReasonRefused); err == nil {
		return
	}
	p := l.Providers[providerID]
	for _, t := range []struct {
		token secret.Value
		hint  string
	}{{tokens.RefreshToken, "refresh_token"}, {tokens.AccessToken, "access_token"}} {
		if !t.token.IsZero() {
			if err := p.Revoke(ctx, t.token, t.hint); err != nil {
				l.Logger.WarnContext(ctx, "token of a refused login is not revoked", "provider", providerID, "kind", t.hint, "error", err)
			}
		}
	}
}

// claims are the ID token's, completed by userinfo's where the ID token lacks what the scopes
// promise (OIDC Core §5.4).
func (l *Login) claims(ctx context.Context, p *provider.Provider, id *provider.IDToken, tokens *provider.TokenResponse) (json.RawMessage, error) {
	m, err := p.Metadata(ctx)
	if err != nil || m.UserinfoEndpoint == "" || !lacksPromised(id.Claims, p.Config().Scopes) {
		return id.Claims, err
	}
	more, err := p.Userinfo(ctx, tokens.AccessToken, id.Subject)
	if errors.Is(err, provider.ErrUnreachable) {
		l.Logger.WarnContext(ctx, "userinfo can't be read; the login goes on with the ID token's claims", "provider", p.ID(), "error", err)
		return id.Claims, nil
	}
	if err != nil {
		return nil, err
	}
	return mergeClaims(id.Claims, more)
}
