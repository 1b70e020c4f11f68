// Package renewal keeps access tokens valid without the browser noticing.
//
// One flight at a time renews a session in this process; every request that needs it waits for that
// one. A flight belongs to nobody's request: once the refresh token was sent, the old one may be
// dead, and only a commit ends the work. The version check of the commit is what keeps two renewals
// of two processes apart.
package renewal

import (
	"context"
	"errors"
	"hash/fnv"
	"log/slog"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/cloakroom/cloakroom/provider"
	"github.com/cloakroom/cloakroom/secret"
	"github.com/cloakroom/cloakroom/session"
)

var (
	// ErrRefused means that the session can't be renewed any more and has ended: the provider
	// answered invalid_grant (RFC 6749 §5.2), or its answer broke the rules.
	ErrRefused = errors.New("provider refused the refresh token")

	// ErrNotRenewed means that no renewal was tried: the API that rejects the token is to be believed.
	ErrNotRenewed = errors.New("the access token was not renewed")
)

const (
	maxSkew     = 10 * time.Second // of the hard time
	skewShare   = 10               // the skew is at most this part of a token's life, so that one of 2 s works
	defaultSoft = 0.75
	jitterShare = 0.05 // of the life, either way, so that sessions that began together do not renew together
)

// Options are what a Renewer needs.
type Options struct {
	Providers map[string]*provider.Provider // by configured id
	Sessions  *session.Manager
	Soft      float64          // share of a token's life after which it is renewed behind the request; 0: 0.75
	Now       func() time.Time // nil: time.Now
	Logger    *slog.Logger
	Metrics   prometheus.Registerer
}

// A Token is what a proxied request goes out with.
type Token struct {
	AccessToken secret.Value
	Session     *session.Session // as it is now; nil for a token of no user
}

// A Renewer hands out access tokens that are still valid. It is safe for concurrent use.
type Renewer struct {
	Options
	metrics *metrics

	mu      sync.Mutex               // guards flights, resting and closed; never held across I/O
	flights map[session.Name]*flight // removed by the goroutine that added it
	resting map[session.Name]rest    // sessions whose last renewal failed, until when they are let be
	closed  bool
	running sync.WaitGroup
}

// A rest is how long a session is let be after a renewal that did not work.
type rest struct {
	until    time.Time
	failures int
	err      error
}

// New returns a Renewer.
func New(o Options) *Renewer {
	if o.Soft == 0 {
		o.Soft = defaultSoft
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	return &Renewer{
		Options: o, metrics: newMetrics(o.Metrics),
		flights: map[session.Name]*flight{}, resting: map[session.Name]rest{},
	}
}

// Close refuses new flights and waits for those under way, so that what a provider has answered is
// committed before the process ends. It returns ctx's error when that takes too long.
func (r *Renewer) Close(ctx context.Context) error {
	r.mu.Lock()
	r.closed = true
	r.mu.Unlock()
	done := make(chan struct{})
	go func() { r.running.Wait(); close(done) }()
	select {
	case <-done:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// AccessToken returns a token that is good for the way to the API. It waits for a renewal only when
// the token at hand has reached its hard time; from the soft time on it renews behind the caller.
// Errors: ErrRefused, session.ErrEnded, provider.ErrUnreachable, provider.ErrMisconfigured,
// session.ErrUnavailable, or ctx's.
func (r *Renewer) AccessToken(ctx context.Context, s *session.Session) (Token, error) {
	if held := r.held(s); held != nil {
		s = held
	}
	now := r.Now()
	soft, hard := times(s, r.Soft)
	if now.Before(soft) {
		return Token{s.Record.AccessToken, s}, nil
	}
	if s.Record.RefreshToken.IsZero() {
		return r.withoutRefreshToken(ctx, s, now)
	}
	if now.Before(hard) {
		r.begin(ctx, s, "")
		return Token{s.Record.AccessToken, s}, nil
	}
	return r.wait(ctx, s, "")
}

// withoutRefreshToken uses up what there is; after that nothing can be done with this session that a
// new login would not do better, so it ends.
func (r *Renewer) withoutRefreshToken(ctx context.Context, s *session.Session, now time.Time) (Token, error) {
	if now.Before(s.Record.AccessTokenExpires) {
		return Token{s.Record.AccessToken, s}, nil
	}
	if err := r.Sessions.End(ctx, s.Name, session.ReasonRefused); err != nil {
		return Token{}, err
	}
	return Token{}, ErrRefused
}

// AfterRejection is for an API that answered 401 and blamed the token (RFC 6750 §3.1): it returns a
// newer token, renewing at most once however many requests failed on the same one. ErrNotRenewed
// says to pass the 401 on: the session was renewed a moment ago already, and the API is never content.
func (r *Renewer) AfterRejection(ctx context.Context, s *session.Session, rejected secret.Value) (Token, error) {
	newest, err := r.Sessions.Get(ctx, s.Name)
	if err != nil {
		return Token{}, err
	}
	if held := r.held(newest); held != nil {
		newest = held
	}
	if !newest.Record.AccessToken.Equal(rejected.Reveal()) {
		return Token{newest.Record.AccessToken, newest}, nil
	}
	life := newest.Record.AccessTokenExpires.Sub(newest.Record.AccessTokenObtained)
	if newest.Record.RefreshToken.IsZero() ||
		newest.Record.Renewals > 0 && r.Now().Sub(newest.Record.AccessTokenObtained) < min(life/2, 30*time.Second) {
		return Token{}, ErrNotRenewed
	}
	return r.wait(ctx, newest, rejected.Reveal())
}

// times are when a session's access token is renewed behind the request, and when in front of it.
// The jitter is the record's own, so that it does not change from request to request.
func times(s *session.Session, share float64) (soft, hard time.Time) {
	rec := s.Record
	life := rec.AccessTokenExpires.Sub(rec.AccessTokenObtained)
	h := fnv.New32a()
	_, _ = h.Write([]byte(rec.ID)) // a hash takes everything
	jitter := (float64(h.Sum32())/(1<<32)*2 - 1) * jitterShare
	soft = rec.AccessTokenObtained.Add(time.Duration(float64(life) * (share + jitter)))
	hard = rec.AccessTokenExpires.Add(-min(maxSkew, life/skewShare))
	if soft.After(hard) {
		soft = hard
	}
	return soft, hard
}
