package handlers

import (
	"encoding/binary"
	"time"

	"github.com/gorilla/securecookie"

	"github.com/cloakroom/cloakroom/session"
)

const (
	logoutStateName   = "logout-state"
	logoutStateMaxAge = time.Hour // that a person may take over the provider's logout page
)

// logoutState seals the return URL into the `state` of an end-session request, so that it is opaque
// to the provider, believed by no one but us, and kept nowhere. gorilla/securecookie does the
// sealing; nothing in it is bound to a cookie.
type logoutState struct{ codecs []securecookie.Codec }

func newLogoutState(keys [][]byte) *logoutState {
	pairs := make([][]byte, 0, 2*len(keys))
	for _, k := range keys {
		pairs = append(pairs, session.DeriveKey(k, "logout state hash"), session.DeriveKey(k, "logout state block"))
	}
	codecs := securecookie.CodecsFromPairs(pairs...)
	for _, c := range codecs {
		// No age: securecookie would judge it by this machine's clock. The time is sealed inside.
		c.(*securecookie.SecureCookie).MaxAge(0).SetSerializer(securecookie.NopEncoder{})
	}
	return &logoutState{codecs}
}

func (l *logoutState) seal(returnURL string, now time.Time) (string, error) {
	plain := binary.BigEndian.AppendUint64(nil, uint64(now.Unix()))
	return securecookie.EncodeMulti(logoutStateName, append(plain, returnURL...), l.codecs...)
}

// open returns the return URL, false for a state that is not ours, altered or too old.
func (l *logoutState) open(state string, now time.Time) (string, bool) {
	if !isCanonical(state) {
		return "", false
	}
	var plain []byte
	if err := securecookie.DecodeMulti(logoutStateName, state, &plain, l.codecs...); err != nil || len(plain) < 8 {
		return "", false
	}
	age := now.Sub(time.Unix(int64(binary.BigEndian.Uint64(plain)), 0))
	return string(plain[8:]), age > -clockSkew && age <= logoutStateMaxAge
}
