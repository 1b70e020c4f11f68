// Package renewal keeps access tokens valid without the browser noticing: those of users (Renewer)
// and those of the service itself (ClientTokens).
//
// In each process, one flight at a time renews a session; across replicas, a lease ensures that
// only one does. The lease saves traffic, and keeps spent tokens from being sent to the provider.
// Correctness does not depend on it: if two replicas renew the same session, the version check lets
// only one commit. A flight belongs to no request. Once the refresh token is sent, the old one may
// be invalid (RFC 9700 §4.14). So a flight continues, whatever happens to its callers, until the
// new tokens are saved, or revoked because a logout came first.
//
// Its weak point: between the provider's answer and the commit, the new refresh token exists only
// in memory. If the process is killed then, the session is lost, and the user must log in again.
//
// The package knows nothing of HTTP requests, cookies or routes.
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
	// ErrRefused means that only a new login can give this session an access token. Either the
	// provider answered invalid_grant (RFC 6749 §5.2), or its answer broke the rules of OIDC Core
	// §12.2, and the session has ended; or the error is ErrNotRenewable or ErrLoginNeeded, and it
	// has not.
	ErrRefused = problem.Sentinel(problem.ReauthenticationRequired,
		"provider refused the refresh token")

	// ErrNotRenewable is the ErrRefused of a session without a refresh token whose access token has
	// expired. Nobody refused anything, so the session continues: the user is still known, and
	// routes that need no token work. The next login in that browser replaces it.
	ErrNotRenewable = fmt.Errorf(
		"access token ran out and there is no refresh token: %w", ErrRefused)

	// ErrLoginNeeded is the ErrRefused of a session that the provider does not renew until its user
	// has logged in again. The session continues, with its refresh token and with
	// Record.LoginNeeded set, until the new login replaces it. In the meantime the provider is
	// asked again from time to time, and a renewal that succeeds clears LoginNeeded.
	ErrLoginNeeded = fmt.Errorf("provider wants the user to log in again: %w", ErrRefused)

	// ErrNotRenewed means that AfterRejection has no other token: forward the upstream's 401.
	ErrNotRenewed = errors.New("access token was renewed too recently for another try")
)

// A TooSoonError is an ErrNotRenewed that says when another attempt is possible.
type TooSoonError struct{ RetryAfter time.Duration }

// Error implements error.
func (e *TooSoonError) Error() string {
	return fmt.Sprintf("%v; the next is due in %v", ErrNotRenewed, e.RetryAfter)
}

// Unwrap returns ErrNotRenewed.
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
	Leases    storage.Leases // ensure that one replica at a time renews a session
	// Soft is the share of an access token's life after which it is renewed in the background, with
	// a jitter of 5 % of the life to either side; 0 means 0.75. From 1.05 on no renewal is early.
	Soft float64
	// Lease is how long other replicas wait for a replica that died while it renewed a session; 0
	// means 30 s. It should be longer than two token requests may take, and than a replica may be
	// frozen.
	Lease   time.Duration
	Now     func() time.Time      // the clock for tokens' lifetimes; nil: time.Now
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
	closing   context.Context // ends when Close begins; stops the wait for other replicas
	close     context.CancelFunc
	releases  sync.WaitGroup // releases of leases in the background; they end with closing
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
		providers: o.Providers, sessions: o.Sessions, leases: o.Leases,
		soft: o.Soft, lease: o.Lease, now: o.Now, log: o.Logger, metrics: newMetrics(o.Metrics),
		flights:    newGroup[session.Name, *session.Session](),
		pauses:     newPauses[session.Name](),
		rejections: newRejections[session.Name](),
		refusals:   newRefusals(),
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

// Close waits until every renewal under way has been committed. If ctx ends first, Close gives up
// and returns ctx's error; users whose new tokens could not be saved by then may have to log in
// again. After Close, tokens are handed out until they expire.
func (r *Renewer) Close(ctx context.Context) error {
	r.close()
	err := r.flights.close(ctx)
	r.releases.Wait()
	if err != nil {
		return fmt.Errorf("wait for renewals under way: %w", err)
	}
	return nil
}

// AccessToken returns an access token of s that is valid now. In the last part of its life the
// token is renewed, in the background as long as the old one has some time left, otherwise before
// AccessToken returns. It returns ErrRefused (see there), session.ErrEnded if a logout came first,
// provider.ErrUnreachable or provider.ErrMisconfigured if the provider can't renew it, and
// session.ErrUnavailable if the store can't be used. It returns the last three only when the old
// token can't be used any more; the session then continues.
//
// When ctx ends, AccessToken stops waiting, but the renewal continues.
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

// longestWait is how long a request waits for a renewal. The renewal continues after it.
const longestWait = 10 * time.Second

// AfterRejection returns another token after an upstream answered 401 invalid_token (RFC 6750 §3.1)
// to the rejected one: the session's current token if that is different, otherwise one from a
// renewal. An API that rejects every token causes one renewal per session in half a token's life
// (at most 30 s); beyond that, AfterRejection returns a TooSoonError. After ErrLoginNeeded only a
// login helps. After any other ErrRefused, and after session.ErrEnded, the session is over. After
// any other error, the upstream's 401 is the best answer.
func (r *Renewer) AfterRejection(
	ctx context.Context, s *session.Session, rejected secret.Value,
) (Token, error) {
	notRenewed := ErrNotRenewed
	for range 2 { // a renewal may end between the read and the flight; then the second read sees it
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

// newestUnlike returns s if its access token is not the rejected one, otherwise the session as the
// store has it.
func (r *Renewer) newestUnlike(
	ctx context.Context, s *session.Session, rejected secret.Value,
) (*session.Session, error) {
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

// newer returns the session with the tokens of a flight that are not saved yet, or s itself.
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

// newest reads the session from the store. It returns session.ErrEnded if the session is gone.
func (r *Renewer) newest(ctx context.Context, name session.Name) (*session.Session, error) {
	ctx, cancel := context.WithTimeout(ctx, storeTimeout)
	defer cancel()
	s, err := r.sessions.Newest(ctx, name)
	if errors.Is(err, session.ErrNoSession) {
		return nil, endOf(err)
	}
	if err != nil {
		return nil, fmt.Errorf("read the session to renew: %w", err)
	}
	return s, nil
}

// endOf returns the error for waiters whose session has ended, given the session manager's err. If
// another replica ended it because of invalid_grant, that is ErrRefused, too.
func endOf(err error) error {
	if errors.Is(err, session.ErrRenewalRefused) {
		return fmt.Errorf("%w: %w", ErrRefused, session.ErrEnded)
	}
	return session.ErrEnded
}

// isOver reports whether err means that the session can't be used any more.
func isOver(err error) bool {
	goesOn := errors.Is(err, ErrLoginNeeded) || errors.Is(err, ErrNotRenewable)
	return errors.Is(err, ErrRefused) && !goesOn || errors.Is(err, session.ErrEnded) ||
		errors.Is(err, session.ErrNoSession) || errors.Is(err, session.ErrSessionExpired)
}
