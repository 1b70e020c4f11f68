package session

import (
	"errors"
	"fmt"

	"github.com/cloakroom/cloakroom/problem"
)

var (
	// ErrNoSession means that nobody is logged in: there is no ticket, it is forged, or its session
	// is gone. It does not say which, because a stranger could learn from that.
	ErrNoSession = problem.Sentinel(problem.NotAuthenticated, "no session")
	// ErrSessionExpired means that the session has expired, by age or because it was idle.
	ErrSessionExpired = problem.Sentinel(problem.SessionExpired, "session expired")
	// ErrRenewalRefused is the ErrNoSession of a session that ended because the provider refused
	// its refresh token. The browser is told to log in again, not that nobody was logged in.
	ErrRenewalRefused = fmt.Errorf("%w: %w",
		problem.Sentinel(problem.ReauthenticationRequired,
			"provider refused to renew the session"), ErrNoSession)
	// ErrEnded means that the session ended before it could be written.
	ErrEnded = problem.Sentinel(problem.NotAuthenticated, "session has ended")
	// ErrOtherUser means that a session belongs to another user than the one who logged in.
	ErrOtherUser = errors.New("the session is another user's")
	// ErrNoDeposit means that there is no value under a handle.
	ErrNoDeposit = errors.New("nothing was left under this handle")
	// ErrUnavailable means that the store can't be asked, or that a record's key is not configured.
	// It never means that somebody is logged out.
	ErrUnavailable = problem.Sentinel(problem.StoreUnavailable, "session store can't be asked")
)

// Unavailable marks err, which came from a part of the store, as ErrUnavailable. It returns nil for
// nil.
func Unavailable(err error) error {
	if err == nil || errors.Is(err, ErrUnavailable) {
		return err
	}
	return fmt.Errorf("%w: %w", ErrUnavailable, err)
}
