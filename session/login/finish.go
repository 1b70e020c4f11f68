package login

import (
	"context"
	"crypto/sha256"
	"errors"
	"log/slog"
	"net/http"
	"net/url"
	"time"

	"github.com/cloakroom/cloakroom/problem"
	"github.com/cloakroom/cloakroom/provider"
	"github.com/cloakroom/cloakroom/secret"
	"github.com/cloakroom/cloakroom/session"
)

// finishTime bounds everything from the authorization response to the session, including the wait
// for other token requests. It is as long as any request waits for a provider: a load balancer with
// a shorter time-out would consider the replica dead.
const finishTime = 10 * time.Second

// An Outcome is a login that succeeded. The session's cookie is already set.
type Outcome struct {
	ReturnURL string // where to redirect the browser
	Session   *session.Session
	Silent    bool // the login ran in a hidden frame
	Kept      bool // the browser's session continues, and no cookie was set
}

// Finish handles an authorization response that arrived at the redirect URI of providerID, and
// starts the session. params are the response's parameters, from the query or from a form, never
// from both. Any error but ErrUnknownProvider is a *Failure.
//
// Once the code has been sent, Finish continues even if the browser goes away: otherwise tokens
// could be issued that nobody revokes.
func (l *Login) Finish(
	w http.ResponseWriter, r *http.Request, providerID string, params url.Values,
) (*Outcome, error) {
	p, ok := l.providers[providerID]
	if !ok {
		return nil, ErrUnknownProvider
	}
	a, failure := l.use(w, r, stateOf(params))
	if failure != nil {
		return nil, l.failed(r.Context(), p, a, failure)
	}
	s, failure := l.redeem(w, r, p, a, params)
	if failure != nil {
		return nil, l.failed(r.Context(), p, a, failure)
	}
	l.logins.WithLabelValues(p.ID(), "success").Inc()
	l.logger.InfoContext(r.Context(), "login succeeded",
		"provider", p.ID(), "session", s.Record.ID, "silent", a.Silent)
	kept := s.Name == a.Previous || s.Name == l.sessions.NameFromRequest(r)
	return &Outcome{ReturnURL: a.Return, Session: s, Silent: a.Silent, Kept: kept}, nil
}

// use finds the attempt of a state and spends the state: whatever this response is, the next one
// with the same state is refused. With some failures it also returns the attempt, which the page
// needs.
func (l *Login) use(w http.ResponseWriter, r *http.Request, state string) (*attempt, *Failure) {
	if state == "" {
		return nil, broken(problem.InvalidResponse, "state")
	}
	a, present := l.cookies.find(r, state)
	if present {
		l.cookies.clear(w, l.cookies.name(state))
	}
	switch {
	case a == nil && l.spent.Contains(sha256.Sum256([]byte(state))):
		return nil, &Failure{Kind: problem.AttemptSpent}
	case a == nil && r.Header.Get("Cookie") == "":
		return nil, &Failure{Kind: problem.CookiesBlocked}
	case a == nil:
		return nil, &Failure{Kind: problem.AttemptNotFound}
	case !l.spend(state):
		return a, &Failure{Kind: problem.AttemptSpent}
	case a.expired(l.now()):
		return a, &Failure{Kind: problem.AttemptExpired}
	}
	return a, nil
}

// redeem turns the response to an attempt into a session. It uses no part of the token response
// before the ID token is verified, and revokes the tokens if the login fails.
func (l *Login) redeem(
	w http.ResponseWriter, r *http.Request, p *provider.Provider, a *attempt, params url.Values,
) (*session.Session, *Failure) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(r.Context()), finishTime)
	defer cancel()
	// Each provider has its own redirect URI. A response that arrives at another's is a mix-up, and
	// its code must not be sent to that other provider's token endpoint (RFC 9700 §4.4.2).
	if a.Provider != p.ID() {
		return nil, broken(problem.InvalidResponse, "provider")
	}
	response, failure := readResponse(params)
	if failure != nil {
		return nil, failure
	}
	metadata, err := p.Metadata(ctx)
	if err != nil {
		return nil, failureOf(err)
	}
	if failure := response.checkIssuer(p, metadata); failure != nil {
		return nil, failure
	}
	if response.failed {
		return nil, response.refusal()
	}
	// Without the store's time, the times in the ID token would be checked against a guess.
	if err := l.sessions.Know(ctx); err != nil {
		return nil, failureOf(err)
	}
	done, failure := l.limits.enter(ctx, p.ID(), l.client(r))
	if failure != nil {
		return nil, failure
	}
	tokens, err := p.Exchange(ctx, response.code, a.verifier())
	done(err)
	if err != nil {
		if invalid := new(provider.InvalidResponseError); errors.As(err, &invalid) {
			l.orphans.revoke(p, invalid.Issued, a.Previous)
		}
		return nil, failureOf(err)
	}
	s, failure := l.start(ctx, w, r, p, a, response, tokens)
	if failure != nil {
		had := a.Previous
		if errors.Is(failure.Err, session.ErrOtherUser) {
			had = "" // the previous session is another user's, so it has another grant
		}
		l.orphans.revoke(p, tokens, had)
		return nil, failure
	}
	return s, nil
}

// start verifies the tokens and starts their session.
func (l *Login) start(
	ctx context.Context, w http.ResponseWriter, r *http.Request,
	p *provider.Provider, a *attempt, resp response, tokens *provider.TokenResponse,
) (*session.Session, *Failure) {
	user, failure := l.identify(ctx, p, a, resp.iss, tokens)
	if failure != nil {
		return nil, failure
	}
	rec := user.record(p, tokens, resp.sessionState)
	if dropped := rec.DropTokens(); len(dropped) > 0 {
		l.logger.InfoContext(ctx,
			"claims were left out, in whole or in part, because they hold or name tokens",
			"provider", p.ID(), "claims", dropped)
	}
	if failure := l.admitted(ctx, rec); failure != nil {
		return nil, failure
	}
	rec.UserAgent, rec.RemoteAddr = visible(r.UserAgent()), shortened(l.site.Forwarded(r).Client)
	if p.Config().RefreshOff && !rec.RefreshToken.IsZero() {
		unwanted := &session.Record{
			Provider: p.ID(), Issuer: rec.Issuer, RefreshToken: rec.RefreshToken,
		}
		if err := l.sessions.Enqueue(ctx, unwanted, session.ReasonRefused); err != nil {
			return nil, failureOf(err)
		}
		rec.RefreshToken = secret.Value{}
	}
	shown := l.sessions.NameFromRequest(r)
	if shown == "" {
		shown = a.Previous
	}
	rec.ExpiresAt = user.token.SessionExpiry
	reason, failure := l.successor(ctx, a, rec, shown)
	if failure != nil {
		return nil, failure
	}
	if a.Silent && reason == session.ReasonContinued && p.Config().ResponseMode == "form_post" {
		if kept, failure := l.keep(ctx, p, tokens, shown); kept != nil || failure != nil {
			return kept, failure
		}
	}
	s, err := l.sessions.Start(ctx, w, rec, shown)
	if errors.Is(err, session.ErrEnded) { // it ended after successor has read it: decide again
		rec.ID, rec.CreatedAt, rec.ExpiresAt = "", time.Time{}, user.token.SessionExpiry
		if reason, failure = l.successor(ctx, a, rec, shown); failure != nil {
			return nil, failure
		}
		s, err = l.sessions.Start(ctx, w, rec, shown)
	}
	if err != nil {
		return nil, failureOf(err)
	}
	l.endOther(ctx, a, shown, reason)
	return s, nil
}

// successor decides why the session that the browser has ends. If a step-up or a silent login is of
// the same user, that session continues as rec. A silent login never replaces another user's
// session, because nobody would see it happen.
func (l *Login) successor(
	ctx context.Context, a *attempt, rec *session.Record, shown session.Name,
) (session.Reason, *Failure) {
	if !a.StepUp && !a.Silent {
		return session.ReasonReplaced, nil
	}
	switch err := l.sessions.Continue(ctx, rec, shown); {
	case err == nil:
		return session.ReasonContinued, nil
	case errors.Is(err, session.ErrUnavailable):
		return "", failureOf(err)
	case a.OtherACR:
		// Anybody can link to a step-up, and the operator asks for other values at logins.
		return "", &Failure{Kind: problem.StepUpNotMet, Code: "session", Err: err}
	case a.Silent && errors.Is(err, session.ErrOtherUser):
		return "", &Failure{Kind: problem.AccessDenied, Code: "other_user", Err: err}
	case a.Silent && l.sessions.EndedSince(a.Previous, a.started()):
		// The user has logged out since the login began. The logout wins.
		return "", &Failure{Kind: problem.AccessDenied, Code: "logged_out", Err: err}
	}
	return session.ReasonReplaced, nil
}

// keep lets the browser keep the session that it has, unless that session needs a login. The
// response to a form_post in a frame arrives with a SameSite=None cookie, and Firefox may send that
// cookie and still ignore all cookies that the answer sets: a session that continued under a new
// ticket would be lost. The new tokens are not needed.
func (l *Login) keep(
	ctx context.Context, p *provider.Provider, tokens *provider.TokenResponse, shown session.Name,
) (*session.Session, *Failure) {
	s, err := l.sessions.Get(ctx, shown)
	switch {
	case errors.Is(err, session.ErrUnavailable):
		return nil, failureOf(err)
	case err != nil: // it ended after successor has read it
		return nil, &Failure{Kind: problem.AccessDenied, Code: "logged_out", Err: err}
	case l.needsLogin(s.Record):
		return nil, nil
	}
	l.orphans.revoke(p, tokens, shown)
	return s, nil
}

// needsLogin reports whether only a login can give a session an access token again.
func (l *Login) needsLogin(rec *session.Record) bool {
	return !rec.LoginNeeded.IsZero() ||
		rec.RefreshToken.IsZero() && !l.now().Before(rec.AccessTokenExpires)
}

// endOther ends the session that the browser had when the attempt began, unless the new session has
// replaced that very one.
func (l *Login) endOther(
	ctx context.Context, a *attempt, replaced session.Name, reason session.Reason,
) {
	if a.Previous == "" || a.Previous == replaced {
		return
	}
	if err := l.sessions.End(ctx, a.Previous, reason); err != nil {
		l.logger.WarnContext(ctx, "end the session that a login replaced",
			"provider", a.Provider, "error", err)
	}
}

// failed completes, counts and logs a failure.
func (l *Login) failed(ctx context.Context, p *provider.Provider, a *attempt, f *Failure) error {
	f.Provider, f.ReturnURL = p.ID(), "/"
	if a != nil {
		f.ReturnURL, f.Silent = a.Return, a.Silent
	}
	l.logins.WithLabelValues(p.ID(), string(f.Kind)).Inc()
	attrs := []slog.Attr{
		slog.String("provider", p.ID()),
		slog.String("outcome", string(f.Kind)),
		slog.Bool("silent", f.Silent),
	}
	if f.Code != "" {
		attrs = append(attrs, slog.String("code", f.Code))
	}
	if f.Err != nil {
		attrs = append(attrs, slog.Any("error", f.Err))
	}
	l.logger.LogAttrs(ctx, f.level(), "login failed", attrs...)
	return f
}

// level returns no warning for failures that any visitor can cause.
func (f *Failure) level() slog.Level {
	switch f.Kind {
	case problem.IDTokenInvalid, problem.ProviderUnreachable,
		problem.ProviderMisconfigured, problem.StoreUnavailable:
		return slog.LevelWarn
	case problem.InternalError:
		return slog.LevelError
	}
	return slog.LevelInfo
}
