package handlers

import (
	"encoding/base64"

	"github.com/gorilla/securecookie"

	"github.com/cloakroom/cloakroom/session"
)

const (
	logoutStateName   = "logout-state"
	logoutStateMaxAge = 3600 // seconds a person may take over the provider's logout page
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
		c.(*securecookie.SecureCookie).MaxAge(logoutStateMaxAge).SetSerializer(securecookie.NopEncoder{})
	}
	return &logoutState{codecs}
}

func (l *logoutState) seal(returnURL string) (string, error) {
	return securecookie.EncodeMulti(logoutStateName, []byte(returnURL), l.codecs...)
}

// open returns the return URL, false for a state that is not ours, altered or too old.
func (l *logoutState) open(state string) (string, bool) {
	if _, err := base64.URLEncoding.Strict().DecodeString(state); err != nil {
		return "", false
	}
	var returnURL []byte
	if err := securecookie.DecodeMulti(logoutStateName, state, &returnURL, l.codecs...); err != nil {
		return "", false
	}
	return string(returnURL), true
}
