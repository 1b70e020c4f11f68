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

// finishTime bounds everything between an authorization response and the session, waiting for other token requests
// included: as long as any request waits for a provider. A load balancer that gives up first takes the replica for dead.
const finishTime = 10 * time.Second

// An Outcome is a login that came to a session. The session's cookie is set already.
type Outcome struct {
	ReturnURL string // where the browser goes now
	Session   *session.Session
	Silent    bool // the attempt was made in a hidden frame
	Kept      bool // the browser's own session goes on, and no cookie was set
}

// Finish takes an authorization response that came to the redirect URI of providerID, and starts the
// session. params are the response's parameters, from the query or from a form, never from both.
// Any error but ErrUnknownProvider is a *Failure.
//
// From the moment the code is sent, it does not stop when the browser goes away: tokens that nobody
// waits for would live on unrevoked.
func (l *Login) Finish(w http.ResponseWriter, r *http.Request, providerID string, params url.Values) (*Outcome, error) {
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
	l.logger.InfoContext(r.Context(), "login succeeded", "provider", p.ID(), "session", s.Record.ID, "silent", a.Silent)
	kept := s.Name == a.Previous || s.Name == l.sessions.NameFromRequest(r)
	return &Outcome{ReturnURL: a.Return, Session: s, Silent: a.Silent, Kept: kept}, nil
}

// use finds the attempt of a state and uses it up: whatever the response turns out to be, the next
// one with this state is refused. The attempt is returned with some failures too, for what the page
// needs to know of it.
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

// redeem turns the response to an attempt into a session. What the token response brought is used
// for nothing before it was verified, and revoked when the login fails after all.
func (l *Login) redeem(w http.ResponseWriter, r *http.Request, p *provider.Provider, a *attempt, params url.Values) (*session.Session, *Failure) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(r.Context()), finishTime)
	defer cancel()
	// The redirect URI is the provider's own: an answer that arrives at another's is a mix-up, and
	// its code must not reach that other's token endpoint (RFC 9700 §4.4.2).
	if a.Provider != p.ID() {
		return nil, broken(problem.InvalidResponse, "provider")
	}
	response, failure := readResponse(params)
	if failure != nil {
		return nil, failure
	}
	metadata, err := p.Metadata(ctx)
	if err != nil {
		return nil, because(err)
	}
	if failure := response.checkIssuer(p, metadata); failure != nil {
		return nil, failure
	}
	if response.failed {
		return nil, response.refusal()
	}
	if err := l.sessions.Know(ctx); err != nil { // else the ID token would be judged by a guess
		return nil, because(err)
	}
	done, failure := l.strangers.enter(ctx, p.ID(), l.client(r))
	if failure != nil {
		return nil, failure
	}
	tokens, err := p.Exchange(ctx, response.code, a.verifier())
	done(err)
	if err != nil {
		if invalid := new(provider.InvalidResponseError); errors.As(err, &invalid) {
			l.orphans.revoke(p, invalid.Issued, a.Previous)
		}
		return nil, because(err)
	}
	s, failure := l.start(ctx, w, r, p, a, response, tokens)
	if failure != nil {
		had := a.Previous
		if errors.Is(failure.Err, session.ErrOtherUser) {
			had = "" // the session before is another user's, so it has another grant
		}
		l.orphans.revoke(p, tokens, had)
		return nil, failure
	}
	return s, nil
}

// start verifies the tokens and begins the session they are for.
func (l *Login) start(ctx context.Context, w http.ResponseWriter, r *http.Request, p *provider.Provider, a *attempt, resp response, tokens *provider.TokenResponse) (*session.Session, *Failure) {
	user, failure := l.identify(ctx, p, a, resp.iss, tokens)
	if failure != nil {
		return nil, failure
	}
	rec := user.record(p, tokens, resp.sessionState)
	if dropped := rec.DropTokens(); len(dropped) > 0 {
		l.logger.InfoContext(ctx, "claims were left out, in whole or in part, because they hold or name tokens",
			"provider", p.ID(), "claims", dropped)
	}
	if failure := l.admitted(ctx, rec); failure != nil {
		return nil, failure
	}
	rec.UserAgent, rec.RemoteAddr = visible(r.UserAgent()), shortened(l.site.Forwarded(r).Client)
	if p.Config().RefreshOff && !rec.RefreshToken.IsZero() {
		unwanted := &session.Record{Provider: p.ID(), Issuer: rec.Issuer, RefreshToken: rec.RefreshToken}
		if err := l.sessions.Enqueue(ctx, unwanted, session.ReasonRefused); err != nil {
			return nil, because(err)
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
	if errors.Is(err, session.ErrEnded) { // since it was looked at; so the login is judged anew
		rec.ID, rec.CreatedAt, rec.ExpiresAt = "", time.Time{}, user.token.SessionExpiry
		if reason, failure = l.successor(ctx, a, rec, shown); failure != nil {
			return nil, failure
		}
		s, err = l.sessions.Start(ctx, w, rec, shown)
	}
	if err != nil {
		return nil, because(err)
	}
	l.endOther(ctx, a, shown, reason)
	return s, nil
}

// successor is why the session that the browser shows ends: it goes on as rec where a step-up or a silent login is of the
// same user. A silent login never takes the place of somebody else's session: nobody would see it happen.
func (l *Login) successor(ctx context.Context, a *attempt, rec *session.Record, shown session.Name) (session.Reason, *Failure) {
	if !a.StepUp && !a.Silent {
		return session.ReasonReplaced, nil
	}
	switch err := l.sessions.Continue(ctx, rec, shown); {
	case err == nil:
		return session.ReasonContinued, nil
	case errors.Is(err, session.ErrUnavailable):
		return "", because(err)
	case a.OtherACR: // anybody can write a step-up's URL, and the operator asks for something else of a login
		return "", &Failure{Kind: problem.StepUpNotMet, Code: "session", Err: err}
	case a.Silent && errors.Is(err, session.ErrOtherUser):
		return "", &Failure{Kind: problem.AccessDenied, Code: "other_user", Err: err}
	case a.Silent && l.sessions.EndedSince(a.Previous, a.started()): // the user has logged out meanwhile, and stays logged out
		return "", &Failure{Kind: problem.AccessDenied, Code: "logged_out", Err: err}
	}
	return session.ReasonReplaced, nil
}

// keep leaves the browser the session that it has, unless that waits for a login. The answer to a form_post in a frame
// comes with a SameSite=None cookie, and Firefox may send that and drop every cookie that we set then: a session that went
// on under a new ticket would be lost. The tokens that came are not needed.
func (l *Login) keep(
	ctx context.Context, p *provider.Provider, tokens *provider.TokenResponse, shown session.Name,
) (*session.Session, *Failure) {
	s, err := l.sessions.Get(ctx, shown)
	switch {
	case errors.Is(err, session.ErrUnavailable):
		return nil, because(err)
	case err != nil: // it has ended since it was looked at
		return nil, &Failure{Kind: problem.AccessDenied, Code: "logged_out", Err: err}
	case l.waitsForLogin(s.Record):
		return nil, nil
	}
	l.orphans.revoke(p, tokens, shown)
	return s, nil
}

// waitsForLogin reports whether only a login brings a session an access token again.
func (l *Login) waitsForLogin(rec *session.Record) bool {
	return !rec.LoginNeeded.IsZero() || rec.RefreshToken.IsZero() && !l.now().Before(rec.AccessTokenExpires)
}

// endOther ends the session that the browser had when the attempt began, where that is not the one
// that it shows now and that the new session has replaced.
func (l *Login) endOther(ctx context.Context, a *attempt, replaced session.Name, reason session.Reason) {
	if a.Previous == "" || a.Previous == replaced {
		return
	}
	if err := l.sessions.End(ctx, a.Previous, reason); err != nil {
		l.logger.WarnContext(ctx, "end the session that a login replaced", "provider", a.Provider, "error", err)
	}
}

// failed completes a failure, counts and logs it.
func (l *Login) failed(ctx context.Context, p *provider.Provider, a *attempt, f *Failure) error {
	f.Provider, f.ReturnURL = p.ID(), "/"
	if a != nil {
		f.ReturnURL, f.Silent = a.Return, a.Silent
	}
	l.logins.WithLabelValues(p.ID(), string(f.Kind)).Inc()
	attrs := []slog.Attr{slog.String("provider", p.ID()), slog.String("outcome", string(f.Kind)), slog.Bool("silent", f.Silent)}
	if f.Code != "" {
		attrs = append(attrs, slog.String("code", f.Code))
	}
	if f.Err != nil {
		attrs = append(attrs, slog.Any("error", f.Err))
	}
	l.logger.LogAttrs(ctx, f.level(), "login failed", attrs...)
	return f
}

// level: what strangers can cause is no warning to an operator.
func (f *Failure) level() slog.Level {
	switch f.Kind {
	case problem.IDTokenInvalid, problem.ProviderUnreachable, problem.ProviderMisconfigured, problem.StoreUnavailable:
		return slog.LevelWarn
	case problem.InternalError:
		return slog.LevelError
	}
	return slog.LevelInfo
}
