package renewal

import (
	"context"
	"errors"
	"time"

	"github.com/cloakroom/cloakroom/secret"
	"github.com/cloakroom/cloakroom/session"
)

// renewBehind starts a renewal in the background, unless permit forbids it or the Renewer is
// closed. The old token is still valid.
func (r *Renewer) renewBehind(s *session.Session) {
	if !s.Record.RefreshToken.IsZero() {
		_, _, _ = r.flights.join(s.Name, r.permit(s, secret.Value{}), r.job(s, secret.Value{}))
	}
}

// permit returns a function that says whether a flight for s may start. It may not while the
// provider's circuit breaker is open, during the pause after a failure, or too often because an
// upstream rejects every token.
func (r *Renewer) permit(s *session.Session, rejected secret.Value) func() error {
	return func() error {
		if err := blocked(r.providers[s.Record.Provider]); err != nil {
			return err
		}
		err := r.pauses.err(s.Name, s.Record.Provider, time.Now())
		// Another replica may have renewed the session since.
		renewed := errors.Is(err, ErrLoginNeeded) && s.Record.LoginNeeded.IsZero()
		if err != nil && !renewed {
			return err
		}
		if rejected.IsZero() {
			return nil
		}
		return r.rejections.allow(s.Name, time.Now(), lifeOf(s.Record).rejectionSpacing())
	}
}

// renewWhileValid renews a token that has almost expired before the request continues. It waits for
// at most half of the time that is left: a provider that hangs must not turn a valid token into a
// 503.
func (r *Renewer) renewWhileValid(ctx context.Context, s *session.Session) (Token, error) {
	if s.Record.RefreshToken.IsZero() {
		return tokenOf(s), nil
	}
	next, err := r.renewed(ctx, s, secret.Value{}, s.Record.AccessTokenExpires.Sub(r.now())/2)
	switch {
	case err == nil:
		return tokenOf(next), nil
	case isOver(err), ctx.Err() != nil:
		return Token{}, err
	}
	return tokenOf(s), nil
}

// renewed joins the flight that renews s, or starts it, and waits for its outcome. rejected is the
// token that an upstream rejected; it is zero if the token is renewed because of its age.
//
// A token that arrived while renewed waited is returned even if it has expired by now, which can
// happen on a starved machine with short-lived tokens: there is no newer token, and the API
// decides.
func (r *Renewer) renewed(
	ctx context.Context, s *session.Session, rejected secret.Value, patience time.Duration,
) (*session.Session, error) {
	r.metrics.waiters.Inc()
	defer r.metrics.waiters.Dec()
	for {
		f, started, err := r.flights.join(s.Name, r.permit(s, rejected), r.job(s, rejected))
		if err != nil {
			return nil, err
		}
		awaited := started || !f.isSettled()
		next, err := f.wait(ctx, patience)
		if err != nil {
			return nil, err
		}
		if next.Record.AccessToken != rejected && (awaited || r.age(next) != dead) {
			return next, nil
		}
		switch {
		case started:
			return nil, ErrNotRenewed // the provider issued the same access token again
		case f.hasLeft(ctx, saveTime):
			s = next // the flight was for an older token than this waiter's
		case r.age(next) == dead:
			return nil, session.Unavailable(errUnsaved)
		default:
			return nil, ErrNotRenewed
		}
	}
}

// saveTime is how long a flight usually needs to save its outcome. One that takes longer has
// trouble saving it.
const saveTime = 100 * time.Millisecond

var errUnsaved = errors.New("renewed tokens could not be saved and have run out")
