// Package renewal keeps access tokens valid without the browser noticing: a user's own (Renewer) and
// the service's (ClientTokens).
//
// In this process one flight at a time renews a session, one lease across replicas. The lease saves
// traffic and spares the provider a token that is spent; what keeps two holders apart is the version
// check when they commit. A flight belongs to no request: from the moment the refresh token
// leaves, the old one may be dead at the provider (RFC 9700 §4.14), so nothing that happens to a
// caller stops it before its tokens are saved, or revoked because a logout came first.
//
// Its weak point: between the provider's answer and the commit the new refresh token is in memory
// alone. A process that is killed there loses the session (not the user's data: they log in again).
//
// It knows nothing of HTTP requests, cookies or routes.
package renewal

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/cloakroom/cloakroom/problem"
	"github.com/cloakroom/cloakroom/provider"
	"github.com/cloakroom/cloakroom/secret"
	"github.com/cloakroom/cloakroom/session"
	"github.com/cloakroom/cloakroom/session/storage"
)

var (
	// ErrRefused means that only a new login brings this session an access token again. The provider
	// answered invalid_grant (RFC 6749 §5.2) or its answer broke the rules of OIDC Core §12.2, and the
	// session has ended; or it is ErrNotRenewable.
	ErrRefused = problem.Sentinel(problem.ReauthenticationRequired, "provider refused the refresh token")

	// ErrNotRenewable is the ErrRefused of a session that has no refresh token and whose access token
	// ran out. Nobody refused anything, so the session goes on: who is logged in is still known, and
	// routes that need no token work. The next login in that browser replaces it.
	ErrNotRenewable = fmt.Errorf("access token ran out and there is no refresh token: %w", ErrRefused)

	// ErrLoginNeeded is the ErrRefused of a session that the provider does not renew until its user has
	// logged in again. The session stays, with its refresh token, and says so (Record.LoginNeeded): the
	// new login replaces it. Until then the provider is asked again now and then; a renewal that
	// succeeds after all ends it.
	ErrLoginNeeded = fmt.Errorf("provider wants the user to log in again: %w", ErrRefused)

	// ErrNotRenewed means that AfterRejection has no other token to offer: pass the upstream's 401 on.
	ErrNotRenewed = errors.New("access token was renewed too recently for another try")
)

// A TooSoonError is the ErrNotRenewed of who may have another try after a while.
type TooSoonError struct{ RetryAfter time.Duration }

// Error implements error.
func (e *TooSoonError) Error() string {
	return fmt.Sprintf("%v; the next is due in %v", ErrNotRenewed, e.RetryAfter)
}

// Unwrap gives ErrNotRenewed.
func (e *TooSoonError) Unwrap() error { return ErrNotRenewed }

// A Token is an access token that is valid now.
type Token struct {
	AccessToken secret.Value
	TokenType   string           // as the provider spelled it
	Session     *session.Session // the session as the token was read from it; nil for a client token
}

// Options are what a Renewer needs.
type Options struct {
	Providers map[string]*provider.Provider // by id; not changed
	Sessions  *session.Manager
	Leases    storage.Leases // so that one replica at a time renews a session
	// Soft is the share of an access token's life after which it is renewed behind the request, with a
	// jitter of 5 % of the life to either side; 0 means 0.75. From 1.05 on no renewal is early.
	Soft float64
	// Lease is how long a replica that died while it renewed a session keeps the others from it; 0 means
	// 30 s. It should be longer than a token request may take, twice, or than a replica may be frozen.
	Lease   time.Duration
	Now     func() time.Time      // what tokens' lives go by; nil: time.Now
	Logger  *slog.Logger          // nil: slog.Default
	Metrics prometheus.Registerer // nil: not registered
}

// A Renewer hands out the access tokens of sessions. It is safe for concurrent use.
type Renewer struct {
	providers map[string]*provider.Provider
	sessions  *session.Manager
	leases    storage.Leases
	soft      float64
	lease     time.Duration
	closing   context.Context // ended when Close begins: waiting for other replicas ends
	close     context.CancelFunc
	ghosts    sync.WaitGroup // releases of leases that may have been taken; they end when closing does
	now       func() time.Time
	log       *slog.Logger
	metrics   *metrics

	flights    *group[session.Name, *session.Session]
	pauses     *pauses[session.Name]
	rejections *rejections[session.Name]
	refusals   *refusals
}

// New makes a Renewer. Close it before the store.
func New(o Options) *Renewer {
	r := &Renewer{
		providers: o.Providers, sessions: o.Sessions, leases: o.Leases, soft: o.Soft, lease: o.Lease, now: o.Now, log: o.Logger, metrics: newMetrics(o.Metrics),
		flights: newGroup[session.Name, *session.Session](), pauses: newPauses[session.Name](), rejections: newRejections[session.Name](),
		refusals: newRefusals(),
	}
	r.closing, r.close = context.WithCancel(context.Background())
	if r.soft == 0 {
		r.soft = defaultSoft
	}
	if r.lease == 0 {
		r.lease = defaultLease
	}
	if r.now == nil {
		r.now = time.Now
	}
	if r.log == nil {
		r.log = slog.Default()
	}
	return r
}

// Close waits until every renewal under way has been committed. When ctx ends first it gives up and
// returns ctx's error; sessions whose new tokens could not be saved by then may have to log in again.
// After Close tokens are handed out as long as they last.
func (r *Renewer) Close(ctx context.Context) error {
	r.close()
	err := r.flights.close(ctx)
	r.ghosts.Wait()
	if err != nil {
		return fmt.Errorf("wait for renewals under way: %w", err)
	}
	return nil
}

// AccessToken returns an access token of s that is valid now. In the last part of its life it renews
// it, behind the request while the old one has some time left, else in front of it. It returns
// ErrRefused (see there), session.ErrEnded when a logout came first, provider.ErrUnreachable or
// provider.ErrMisconfigured when the provider stands in the way, session.ErrUnavailable when the
// store does: the last three only once the old token can't be used any more, and the session stays.
//
// It stops waiting when ctx ends; the renewal does not stop.
func (r *Renewer) AccessToken(ctx context.Context, s *session.Session) (Token, error) {
	if r.age(s) == fresh {
		return tokenOf(s), nil
	}
	s = r.newer(s)
	switch r.age(s) {
	case fresh:
		return tokenOf(s), nil
	case aging:
		r.renewBehind(s)
		return tokenOf(s), nil
	case stale:
		return r.renewWhileValid(ctx, s)
	}
	if s.Record.RefreshToken.IsZero() {
		return Token{}, ErrNotRenewable
	}
	next, err := r.renewed(ctx, s, secret.Value{}, longestWait)
	if errors.Is(err, errPatience) {
		err = notYet(s, "no answer yet")
	}
	if err != nil {
		return Token{}, asBefore(s, err)
	}
	return tokenOf(next), nil
}

// longestWait is how long a request waits for a renewal, which goes on without it.
const longestWait = 10 * time.Second

// AfterRejection returns another token after an upstream answered 401 invalid_token (RFC 6750 §3.1)
// to the rejected one: the session's current token if it is another already, else that of one
// renewal. An API that refuses every token gets one renewal per session in half a token's life (at
// most 30 s), and a TooSoonError beyond that. After ErrLoginNeeded only a login helps; after any other
// ErrRefused and session.ErrEnded the session is over; after any other error the upstream's 401 is the
// best answer there is.
func (r *Renewer) AfterRejection(ctx context.Context, s *session.Session, rejected secret.Value) (Token, error) {
	notRenewed := ErrNotRenewed
	for range 2 { // the second look is for a renewal that ended between the first and the flight
		newest, err := r.newestUnlike(ctx, r.newer(s), rejected)
		if err != nil {
			return Token{}, err
		}
		if newest.Record.AccessToken != rejected {
			return r.AccessToken(ctx, newest)
		}
		if newest.Record.RefreshToken.IsZero() {
			break
		}
		next, err := r.renewed(ctx, newest, rejected, longestWait)
		if err == nil {
			return tokenOf(next), nil
		}
		if !errors.Is(err, ErrNotRenewed) {
			return Token{}, asBefore(newest, err)
		}
		notRenewed = err
	}
	return Token{}, notRenewed
}

// newestUnlike is s if its access token is not the rejected one, else the session as the store has it.
func (r *Renewer) newestUnlike(ctx context.Context, s *session.Session, rejected secret.Value) (*session.Session, error) {
	if s.Record.AccessToken != rejected {
		return s, nil
	}
	return r.newest(ctx, s.Name)
}

func tokenOf(s *session.Session) Token {
	return Token{AccessToken: s.Record.AccessToken, TokenType: s.Record.TokenType, Session: s}
}

func lifeOf(rec *session.Record) life {
	return life{obtained: rec.AccessTokenObtained, expires: rec.AccessTokenExpires}
}

func (r *Renewer) age(s *session.Session) age {
	return lifeOf(s.Record).at(r.now(), r.soft, s.Record.ID)
}

// newer is the session with tokens that a flight holds and could not save yet, or s itself.
func (r *Renewer) newer(s *session.Session) *session.Session {
	f := r.flights.find(s.Name)
	if f == nil || !f.isSettled() || f.err != nil {
		return s
	}
	if f.value.Record.AccessTokenObtained.Before(s.Record.AccessTokenObtained) {
		return s
	}
	return f.value
}

// newest reads the session as it is now; session.ErrEnded when it is gone.
func (r *Renewer) newest(ctx context.Context, name session.Name) (*session.Session, error) {
	ctx, cancel := context.WithTimeout(ctx, storeTimeout)
	defer cancel()
	s, err := r.sessions.Newest(ctx, name)
	if errors.Is(err, session.ErrNoSession) {
		return nil, overBecause(err)
	}
	if err != nil {
		return nil, fmt.Errorf("read the session to renew: %w", err)
	}
	return s, nil
}

// overBecause is what the waiters for a renewal are told of a session that has ended meanwhile, as err
// of the session manager says: another replica may have been told invalid_grant, and ended it for that.
func overBecause(err error) error {
	if errors.Is(err, session.ErrRenewalRefused) {
		return fmt.Errorf("%w: %w", ErrRefused, session.ErrEnded)
	}
	return session.ErrEnded
}

// isOver reports whether err leaves nothing of the session to use.
func isOver(err error) bool {
	goesOn := errors.Is(err, ErrLoginNeeded) || errors.Is(err, ErrNotRenewable)
	return errors.Is(err, ErrRefused) && !goesOn || errors.Is(err, session.ErrEnded) ||
		errors.Is(err, session.ErrNoSession) || errors.Is(err, session.ErrSessionExpired)
}
