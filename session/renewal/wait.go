package renewal

import (
	"context"
	"errors"
	"time"

	"github.com/cloakroom/cloakroom/secret"
	"github.com/cloakroom/cloakroom/session"
)

// renewBehind starts a renewal that nobody waits for, unless the last one failed a moment ago. While
// shutting down none starts, either; the old token lasts.
func (r *Renewer) renewBehind(s *session.Session) {
	if !s.Record.RefreshToken.IsZero() {
		_, _, _ = r.flights.join(s.Name, r.permit(s, secret.Value{}), r.work(s, secret.Value{}))
	}
}

// permit says whether a flight for s may start: not while the provider is left alone, not in the pause after a failure,
// and not again and again because an upstream rejects every token.
func (r *Renewer) permit(s *session.Session, rejected secret.Value) func() error {
	return func() error {
		if err := resting(r.providers[s.Record.Provider]); err != nil {
			return err
		}
		err := r.pauses.err(s.Name, s.Record.Provider, time.Now())
		renewedSince := errors.Is(err, ErrLoginNeeded) && s.Record.LoginNeeded.IsZero() // by another replica
		if err != nil && !renewedSince {
			return err
		}
		if rejected.IsZero() {
			return nil
		}
		return r.rejections.allow(s.Name, time.Now(), lifeOf(s.Record).rejectionSpacing())
	}
}

// renewWhileValid renews in front of the request a token that has not quite run out. It waits for at
// most half of what is left: a provider that hangs must not turn a valid token into a 503.
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

// renewed joins the flight that renews s, or starts it, and waits for its outcome. Rejected is the
// token that an upstream would not have; zero when time alone is the reason.
//
// A token that came while it waited is handed out even if it has run out since, as it may have where the machine is
// starved and the token's life is short: there is no younger one, and the API is the judge.
func (r *Renewer) renewed(ctx context.Context, s *session.Session, rejected secret.Value, patience time.Duration) (*session.Session, error) {
	r.metrics.waiters.Inc()
	defer r.metrics.waiters.Dec()
	for {
		f, started, err := r.flights.join(s.Name, r.permit(s, rejected), r.work(s, rejected))
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
			return nil, ErrNotRenewed // the provider gave the same access token once more
		case f.hasLeft(ctx, landingTime):
			s = next // the flight was started for an older token than this waiter's
		case r.age(next) == dead:
			return nil, session.Unavailable(errUnsaved)
		default:
			return nil, ErrNotRenewed
		}
	}
}

// landingTime is how long a flight may stay after its outcome; one that stays longer has trouble
// saving it.
const landingTime = 100 * time.Millisecond

var errUnsaved = errors.New("renewed tokens could not be saved and have run out")
