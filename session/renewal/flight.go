package renewal

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/cenkalti/backoff/v5"

	"github.com/cloakroom/cloakroom/provider"
	"github.com/cloakroom/cloakroom/secret"
	"github.com/cloakroom/cloakroom/session"
)

const (
	// flightTimeout bounds the provider's part of a flight; the commit has its own time.
	flightTimeout = 30 * time.Second
	// commitTimeout bounds how long new tokens are held while the store can't be written. They are
	// used all that time.
	commitTimeout = 5 * time.Minute
	maxRest       = 30 * time.Second
)

// A flight is one renewal under way. Its fields are written by its goroutine before done is closed,
// but for held, which the Renewer's mutex guards.
type flight struct {
	done     chan struct{} // closed when waiters may go on: the tokens are there, or there are none
	next     *session.Session
	err      error
	held     *session.Session // tokens that the provider gave and the store does not have yet
	rejected string           // the access token that an API rejected: not good enough even if unexpired
}

// begin makes sure that a flight is under way, and returns it; nil when the session is to be let be.
func (r *Renewer) begin(ctx context.Context, s *session.Session, rejected string) *flight {
	r.mu.Lock()
	defer r.mu.Unlock()
	if f, ok := r.flights[s.Name]; ok {
		return f
	}
	if rest, ok := r.resting[s.Name]; (ok && r.Now().Before(rest.until)) || r.closed {
		return nil
	}
	f := &flight{done: make(chan struct{}), rejected: rejected}
	r.flights[s.Name] = f
	ctx = context.WithoutCancel(ctx) // the caller may go; the flight may not
	r.running.Go(func() { r.fly(ctx, f, s) })
	return f
}

// held returns the session with tokens that are waiting to be written, if s is older.
func (r *Renewer) held(s *session.Session) *session.Session {
	r.mu.Lock()
	defer r.mu.Unlock()
	if f, ok := r.flights[s.Name]; ok && f.held != nil && f.held.Version > s.Version {
		return f.held
	}
	return nil
}

// wait waits for a flight's outcome. When it failed for a reason that passes, a token that has not
// really expired yet still serves.
func (r *Renewer) wait(ctx context.Context, s *session.Session, rejected string) (Token, error) {
	f := r.begin(ctx, s, rejected)
	if f == nil {
		return r.makeDo(s, rejected, r.restingOn(s.Name))
	}
	select {
	case <-f.done:
	case <-ctx.Done():
		return Token{}, ctx.Err()
	}
	if f.err != nil {
		return r.makeDo(s, rejected, f.err)
	}
	return Token{f.next.Record.AccessToken, f.next}, nil
}

// makeDo goes on with the old token where a renewal failed and nothing is wrong with the session.
func (r *Renewer) makeDo(s *session.Session, rejected string, err error) (Token, error) {
	over := errors.Is(err, ErrRefused) || errors.Is(err, session.ErrEnded)
	if !over && rejected == "" && r.Now().Before(s.Record.AccessTokenExpires) {
		return Token{s.Record.AccessToken, s}, nil
	}
	return Token{}, err
}

// restingOn is why a session is being let be.
func (r *Renewer) restingOn(name session.Name) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if rest, ok := r.resting[name]; ok {
		return rest.err
	}
	return fmt.Errorf("renewals have stopped: %w", provider.ErrUnreachable) // shutting down
}

// fly renews one session and lands.
func (r *Renewer) fly(ctx context.Context, f *flight, s *session.Session) {
	start := r.Now()
	next, outcome, err := r.renew(ctx, f, s)
	r.metrics.done(s.Record.Provider, outcome, r.Now().Sub(start))
	if err != nil {
		r.Logger.WarnContext(ctx, "renewal did not work", "session", s.Record.ID, "provider", s.Record.Provider, "outcome", outcome, "error", err)
	}
	r.land(f, s.Name, next, err)
}

// land lets the waiters go and takes the flight out of the way. A session whose renewal failed for
// a reason that passes is let be for a while, longer each time, with jitter.
func (r *Renewer) land(f *flight, name session.Name, next *session.Session, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.flights, name)
	switch {
	case err == nil || errors.Is(err, ErrRefused) || errors.Is(err, session.ErrEnded):
		delete(r.resting, name)
	default:
		n := r.resting[name].failures + 1
		wait := min(time.Duration(float64(500*time.Millisecond)*float64(int(1)<<min(n-1, 10))*(0.5+rand.Float64())), maxRest)
		if down := new(provider.UnreachableError); errors.As(err, &down) && down.RetryAfter > wait {
			wait = down.RetryAfter
		}
		r.resting[name] = rest{until: r.Now().Add(wait), failures: n, err: err}
		r.forgetRested()
	}
	if f.held == nil { // otherwise the waiters went on long ago
		f.next, f.err = next, err
		close(f.done)
	}
}

// forgetRested keeps the map from growing with sessions that never came back. r.mu is held.
func (r *Renewer) forgetRested() {
	if len(r.resting) < 10_000 {
		return
	}
	for name, rest := range r.resting {
		if r.Now().After(rest.until.Add(time.Minute)) {
			delete(r.resting, name)
		}
	}
}

// hold publishes tokens that are not written yet, so that everybody uses them meanwhile.
func (r *Renewer) hold(f *flight, next *session.Session) {
	r.mu.Lock()
	defer r.mu.Unlock()
	f.next, f.held = next, next
	close(f.done)
}

// renew does the work of a flight: the newest record, the token request, the checks, the commit.
func (r *Renewer) renew(ctx context.Context, f *flight, s *session.Session) (*session.Session, outcome, error) {
	newest, err := r.Sessions.Reload(ctx, s.Name)
	if errors.Is(err, session.ErrNoSession) || errors.Is(err, session.ErrSessionExpired) {
		return nil, lostToLogout, session.ErrEnded
	}
	if err != nil {
		return nil, transient, err
	}
	if r.renewedMeanwhile(newest, s, f.rejected) {
		return newest, shared, nil
	}
	p, ok := r.Providers[newest.Record.Provider]
	if !ok {
		return nil, misconfigured, fmt.Errorf("provider %q is not configured any more: %w", newest.Record.Provider, provider.ErrMisconfigured)
	}
	tokens, err := r.request(ctx, p, newest.Record.RefreshToken)
	if err != nil {
		return r.failed(ctx, newest, err)
	}
	return r.accept(ctx, f, p, newest, tokens)
}

// renewedMeanwhile reports whether another process has done the work since s was read.
func (r *Renewer) renewedMeanwhile(newest, s *session.Session, rejected string) bool {
	if newest.Record.RefreshToken.IsZero() {
		return false
	}
	_, hard := times(newest, r.Soft)
	return newest.Version > s.Version && r.Now().Before(hard) && !newest.Record.AccessToken.Equal(rejected) &&
		!newest.Record.AccessToken.Equal(s.Record.AccessToken.Reveal())
}

// request sends the refresh token; once more if the answer got lost on the wire, since only the
// provider knows whether it has rotated the token (RN5). An answer that was read is never asked for twice.
func (r *Renewer) request(ctx context.Context, p *provider.Provider, refreshToken secret.Value) (*provider.TokenResponse, error) {
	ctx, cancel := context.WithTimeout(ctx, flightTimeout)
	defer cancel()
	tokens, err := p.Refresh(ctx, refreshToken)
	if lost := new(provider.UnreachableError); errors.As(err, &lost) && lost.AnswerLost && ctx.Err() == nil {
		return p.Refresh(ctx, refreshToken)
	}
	return tokens, err
}

// failed sorts what a token request came to. Only a refused token ends the session, and only if it
// still is the session's: another process may have renewed with it a moment before.
func (r *Renewer) failed(ctx context.Context, s *session.Session, err error) (*session.Session, outcome, error) {
	var broken *provider.InvalidResponseError
	switch {
	case errors.Is(err, provider.ErrInvalidGrant):
		if now, getErr := r.Sessions.Reload(ctx, s.Name); getErr == nil && !now.Record.RefreshToken.Equal(s.Record.RefreshToken.Reveal()) {
			return now, shared, nil
		}
		return nil, refused, errors.Join(ErrRefused, r.Sessions.End(ctx, s.Name, session.ReasonRefused))
	case errors.As(err, &broken):
		if broken.Issued != nil {
			return r.reject(ctx, s, broken.Issued, err)
		}
		return nil, transient, fmt.Errorf("%w: %w", &provider.UnreachableError{Provider: s.Record.Provider, Endpoint: "token", Reason: "its answer breaks the rules"}, err)
	case errors.Is(err, provider.ErrMisconfigured):
		return nil, misconfigured, err
	case errors.Is(err, provider.ErrUnreachable):
		return nil, transient, err
	}
	// An error code that says nothing about the user's grant: nobody is logged out for it.
	return nil, transient, fmt.Errorf("%w: %w", &provider.UnreachableError{Provider: s.Record.Provider, Endpoint: "token", Reason: "it refused without saying that the token is bad"}, err)
}

// accept checks the answer and commits it.
func (r *Renewer) accept(ctx context.Context, f *flight, p *provider.Provider, s *session.Session, tokens *provider.TokenResponse) (*session.Session, outcome, error) {
	sid := ""
	if !tokens.IDToken.IsZero() {
		checkCtx, cancel := context.WithTimeout(ctx, flightTimeout)
		defer cancel()
		id, err := p.VerifyRefreshedIDToken(checkCtx, tokens.IDToken, &provider.Original{
			Subject: s.Record.Subject, Issuer: s.Record.Issuer, AuthTime: s.Record.AuthTime, Nonce: nonceOf(s.Record),
		})
		if errors.Is(err, provider.ErrUnreachable) {
			// The keys can't be had just now; the tokens came over TLS from the provider itself, and the
			// old refresh token is dead. The ID token alone is not taken over.
			tokens.IDToken = secret.Value{}
		} else if err != nil {
			return r.reject(ctx, s, tokens, err)
		} else {
			sid = id.SID
		}
	}
	return r.commit(ctx, f, s, tokens, sid)
}

// reject is the end of a session whose provider answered with tokens that must not be used (RN7).
func (r *Renewer) reject(ctx context.Context, s *session.Session, tokens *provider.TokenResponse, cause error) (*session.Session, outcome, error) {
	r.giveBack(ctx, s.Record, tokens)
	err := r.Sessions.End(ctx, s.Name, session.ReasonRefused)
	return nil, invalidResponse, errors.Join(ErrRefused, cause, err)
}

// commit writes the new tokens. While the store can't be written they are held and used; a session
// that ended meanwhile stays ended, and the tokens are revoked.
func (r *Renewer) commit(ctx context.Context, f *flight, s *session.Session, tokens *provider.TokenResponse, sid string) (*session.Session, outcome, error) {
	change := r.change(s.Record.RefreshToken, tokens, sid)
	next, err := r.Sessions.Commit(ctx, s, change)
	if errors.Is(err, session.ErrUnavailable) {
		r.hold(f, heldSession(s, change))
		next, err = r.commitLater(ctx, s, change)
	}
	switch {
	case err == nil:
		return next, renewed, nil
	case errors.Is(err, session.ErrEnded):
		r.giveBack(ctx, s.Record, tokens)
		return nil, lostToLogout, session.ErrEnded
	case errors.Is(err, errOvertaken):
		r.giveBack(ctx, s.Record, tokens)
		next, err := r.Sessions.Reload(ctx, s.Name)
		return next, shared, err
	}
	r.giveBack(ctx, s.Record, tokens)
	return nil, transient, err
}

// commitLater goes on trying until the store takes it.
func (r *Renewer) commitLater(ctx context.Context, s *session.Session, change func(*session.Record) error) (*session.Session, error) {
	ctx, cancel := context.WithTimeout(ctx, commitTimeout)
	defer cancel()
	b := backoff.NewExponentialBackOff()
	b.InitialInterval, b.MaxInterval = 100*time.Millisecond, 5*time.Second
	return backoff.Retry(ctx, func() (*session.Session, error) {
		next, err := r.Sessions.Commit(ctx, s, change)
		if err != nil && !errors.Is(err, session.ErrUnavailable) {
			return nil, backoff.Permanent(err)
		}
		return next, err
	}, backoff.WithBackOff(b), backoff.WithMaxElapsedTime(commitTimeout))
}

// heldSession is what a session will be once it is written.
func heldSession(s *session.Session, change func(*session.Record) error) *session.Session {
	next, rec := *s, *s.Record
	_ = change(&rec) // errs only for a record that is not s's
	next.Record, next.Version = &rec, s.Version+1
	return &next
}
