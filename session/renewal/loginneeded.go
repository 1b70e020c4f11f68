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

// askAgain is how often all replicas together ask a provider that wants the user to log in whether
// it still does.
const askAgain = time.Minute

// errNothingNew: the record already says what was to be written.
var errNothingNew = errors.New("the record says so already")

// needsLogin records that the session's user must log in again. The session stays, with its refresh
// token: the provider has not said that the token is spent, and a valid access token is used until
// it expires. A renewal by another process in the meantime takes precedence.
func (a *attempt) needsLogin(ctx context.Context, err error) {
	// The error must not be an ErrUnreachable, which err may be.
	cause := fmt.Errorf("%w: %v", ErrLoginNeeded, err)
	known := !a.from.Record.LoginNeeded.IsZero()
	a.pauses.hold(a.from.Name, time.Now().Add(askAgain), cause)
	_, err = retry(ctx, resilience.EndRefused, func(ctx context.Context) (*session.Session, error) {
		return a.sessions.Commit(ctx, a.from, func(rec *session.Record) error {
			switch {
			case rec.Renewals != a.from.Record.Renewals,
				rec.RefreshToken != a.from.Record.RefreshToken:
				return errSuperseded
			case !rec.LoginNeeded.IsZero():
				return errNothingNew
			}
			rec.LoginNeeded = a.now()
			return nil
		})
	}, func(error, time.Duration) { a.flight.settle(nil, cause) })
	switch {
	case errors.Is(err, errSuperseded):
		a.useOthers(ctx)
		return
	case isOver(err):
		a.done(outcomeLostToLogout)
		a.lost(ctx)
		return
	case err != nil && !errors.Is(err, errNothingNew):
		a.log.Error("that the user must log in again could not be noted; "+
			"the session's next renewal will be refused, too",
			"session", a.from.Record.ID, "error", err)
	case !known:
		a.log.Info("provider wants the user to log in again; the session stays until then",
			"session", a.from.Record.ID, "provider", a.provider.ID(), "error", cause)
	}
	a.done(outcomeLoginNeeded)
	a.flight.settle(nil, cause)
}

// takeTurn returns nil if the provider may be asked about a session. For a session that needs a
// login, one replica may ask once in askAgain: the record says when that was last done, and only
// one of several writers can update it. takeTurn returns errLeaseLost if the record has changed in
// the meantime.
func (a *attempt) takeTurn(ctx context.Context) error {
	last := a.from.Record.LoginNeeded
	if last.IsZero() {
		return nil
	}
	now := a.now()
	if left := last.Add(askAgain).Sub(now); left > 0 && left <= askAgain {
		a.pauses.hold(a.from.Name, time.Now().Add(left), ErrLoginNeeded)
		return ErrLoginNeeded
	}
	ctx, cancel := context.WithTimeout(ctx, storeTimeout)
	defer cancel()
	next, err := a.sessions.Commit(ctx, a.from, func(rec *session.Record) error {
		if rec.Renewals != a.from.Record.Renewals || !rec.LoginNeeded.Equal(last) {
			return errLeaseLost
		}
		rec.LoginNeeded = now
		return nil
	})
	if err != nil {
		return err
	}
	a.from = next
	return nil
}

// notMyTurn settles the flight if takeTurn's error says why the provider is not asked. It reports
// whether to try again.
func (a *attempt) notMyTurn(ctx context.Context, err error) (again bool) {
	switch {
	case errors.Is(err, errLeaseLost):
		return true
	case isOver(err):
		a.lost(ctx)
	default:
		a.flight.settle(nil, err)
	}
	return false
}

// asBefore turns err into ErrLoginNeeded if the session needs a login and err only says that the
// provider can't be asked at the moment whether it still does.
func asBefore(s *session.Session, err error) error {
	if errors.Is(err, provider.ErrUnreachable) && !s.Record.LoginNeeded.IsZero() {
		return fmt.Errorf("%w, and can't be asked again yet: %v", ErrLoginNeeded, err)
	}
	return err
}
