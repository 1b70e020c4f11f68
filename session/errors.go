package session

import (
	"errors"
	"fmt"

	"github.com/cloakroom/cloakroom/problem"
)

var (
	// ErrNoSession means that nobody is logged in: no ticket, a forged one, or one whose session is
	// gone. Which of these it was is not told (a stranger could learn from it).
	ErrNoSession = problem.Sentinel(problem.NotAuthenticated, "no session")
	// ErrSessionExpired means that the session was good once and ran out, by age or idleness.
	ErrSessionExpired = problem.Sentinel(problem.SessionExpired, "session expired")
	// ErrRenewalRefused is the ErrNoSession of a session that ended because the provider refused its
	// refresh token. Its browser is told to log in again, not that nobody was logged in.
	ErrRenewalRefused = fmt.Errorf("%w: %w",
		problem.Sentinel(problem.ReauthenticationRequired, "provider refused to renew the session"), ErrNoSession)
	// ErrEnded means that the session ended before the write that it was to get.
	ErrEnded = problem.Sentinel(problem.NotAuthenticated, "session has ended")
	// ErrOtherUser means that a session is not the user's who logged in.
	ErrOtherUser = errors.New("the session is another user's")
	// ErrNoDeposit means that nothing lies under a handle, for Fetch to return.
	ErrNoDeposit = errors.New("nothing was left under this handle")
	// ErrUnavailable means that the store can't be asked, or holds what this process has no key for.
	// Nobody is logged out by it.
	ErrUnavailable = problem.Sentinel(problem.StoreUnavailable, "session store can't be asked")
)

// Unavailable marks err, which came from a part of the store, as ErrUnavailable; nil stays nil.
func Unavailable(err error) error {
	if err == nil || errors.Is(err, ErrUnavailable) {
		return err
	}
	return fmt.Errorf("%w: %w", ErrUnavailable, err)
}
