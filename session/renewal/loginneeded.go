package renewal

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/cloakroom/cloakroom/provider"
	"github.com/cloakroom/cloakroom/resilience"
	"github.com/cloakroom/cloakroom/session"
)

// askAgain is how often a provider that wants the user to log in again is asked whether it still does,
// by all replicas together.
const askAgain = time.Minute

// errNothingNew: the record says already what was to be written.
var errNothingNew = errors.New("the record says so already")

// needsLogin has the session say that its user must log in again. It stays, with its refresh token: the
// provider has not said that the token is spent, and a valid access token is used to its end. A renewal
// by another process since then wins.
func (w *work) needsLogin(ctx context.Context, err error) {
	cause := fmt.Errorf("%w: %v", ErrLoginNeeded, err) // err may be an ErrUnreachable, which this is not
	known := !w.from.Record.LoginNeeded.IsZero()
	w.pauses.hold(w.from.Name, time.Now().Add(askAgain), cause)
	_, err = retry(ctx, resilience.EndRefused, func(ctx context.Context) (*session.Session, error) {
		return w.sessions.Commit(ctx, w.from, func(rec *session.Record) error {
			switch {
			case rec.Renewals != w.from.Record.Renewals || rec.RefreshToken != w.from.Record.RefreshToken:
				return errTheirs
			case !rec.LoginNeeded.IsZero():
				return errNothingNew
			}
			rec.LoginNeeded = w.now()
			return nil
		})
	}, func(error, time.Duration) { w.flight.settle(nil, cause) })
	switch {
	case errors.Is(err, errTheirs):
		w.readTheirs(ctx)
		return
	case isOver(err):
		w.done(outcomeLostToLogout)
		w.lost(ctx)
		return
	case err != nil && !errors.Is(err, errNothingNew):
		w.log.Error("that the user must log in again could not be noted; the session's next renewal will be refused, too",
			"session", w.from.Record.ID, "error", err)
	case !known:
		w.log.Info("provider wants the user to log in again; the session stays until then",
			"session", w.from.Record.ID, "provider", w.provider.ID(), "error", cause)
	}
	w.done(outcomeLoginNeeded)
	w.flight.settle(nil, cause)
}

// takeTurn returns nil when the provider may be asked about a session. One that needs a login has its
// turn once in askAgain, whichever replica takes it: the record says when it was, and of those who
// would write it one succeeds. It returns errLeaseLost when the record has changed meanwhile.
func (w *work) takeTurn(ctx context.Context) error {
	last := w.from.Record.LoginNeeded
	if last.IsZero() {
		return nil
	}
	now := w.now()
	if left := last.Add(askAgain).Sub(now); left > 0 && left <= askAgain {
		w.pauses.hold(w.from.Name, time.Now().Add(left), ErrLoginNeeded)
		return ErrLoginNeeded
	}
	ctx, cancel := context.WithTimeout(ctx, storeTimeout)
	defer cancel()
	next, err := w.sessions.Commit(ctx, w.from, func(rec *session.Record) error {
		if rec.Renewals != w.from.Record.Renewals || !rec.LoginNeeded.Equal(last) {
			return errLeaseLost
		}
		rec.LoginNeeded = now
		return nil
	})
	if err != nil {
		return err
	}
	w.from = next
	return nil
}

// notMyTurn settles the flight if takeTurn says why nobody is asked. It reports whether it is to be tried
// again.
func (w *work) notMyTurn(ctx context.Context, err error) (again bool) {
	switch {
	case errors.Is(err, errLeaseLost):
		return true
	case isOver(err):
		w.lost(ctx)
	default:
		w.flight.settle(nil, err)
	}
	return false
}

// asBefore is ErrLoginNeeded for a session that needs a login, where err is only that the provider can't
// be asked at the moment whether it still does.
func asBefore(s *session.Session, err error) error {
	if errors.Is(err, provider.ErrUnreachable) && !s.Record.LoginNeeded.IsZero() {
		return fmt.Errorf("%w, and can't be asked again yet: %v", ErrLoginNeeded, err)
	}
	return err
}
