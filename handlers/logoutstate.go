package handlers

import (
	"encoding/binary"
	"time"

	"github.com/cloakroom/cloakroom/keys"
)

const (
	logoutStateName   = "logout-state"
	logoutStateMaxAge = time.Hour // the time a user may spend on the provider's logout page
)

// logoutState seals the return URL into the `state` of an end-session request. The provider can
// neither read nor forge it, and the service need not store it.
type logoutState struct{ codec *keys.Codec }

func newLogoutState(ring *keys.Ring) logoutState {
	return logoutState{ring.Codec("logout state", maxSealed)}
}

func (l logoutState) seal(returnURL string, now time.Time) (string, error) {
	plain := binary.BigEndian.AppendUint64(nil, uint64(now.Unix()))
	return l.codec.Seal(logoutStateName, append(plain, returnURL...))
}

// open returns the return URL, or false for a state that we did not seal, that was altered, or that
// is too old.
func (l logoutState) open(state string, now time.Time) (string, bool) {
	plain, ok := l.codec.Open(logoutStateName, state)
	if !ok || len(plain) < 8 {
		return "", false
	}
	age := now.Sub(time.Unix(int64(binary.BigEndian.Uint64(plain)), 0))
	return string(plain[8:]), age > -clockSkew && age <= logoutStateMaxAge
}
