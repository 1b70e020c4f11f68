package handlers

import (
	"encoding/base64"

	"github.com/gorilla/securecookie"

	"github.com/cloakroom/cloakroom/session"
)

// A sealer encrypts and signs one kind of value that travels through browsers and providers, under
// session.keys: the first seals, all open. gorilla/securecookie does it; nothing is bound to a cookie. What is
// sealed has no age: securecookie would judge that by this machine's clock. Who needs one seals the time inside.
type sealer struct {
	name   string // what one kind is sealed as does not open as another
	codecs []securecookie.Codec
}

// newSealer derives the keys of one purpose.
func newSealer(name, purpose string, keys [][]byte) sealer {
	s := sealer{name: name}
	for _, k := range keys {
		c := securecookie.New(session.DeriveKey(k, purpose+" hash"), session.DeriveKey(k, purpose+" block"))
		s.codecs = append(s.codecs, c.MaxAge(0).SetSerializer(securecookie.NopEncoder{}))
	}
	return s
}

func (s sealer) seal(plain []byte) (string, error) {
	return securecookie.EncodeMulti(s.name, plain, s.codecs...)
}

// open returns false for what is not ours, or was altered.
func (s sealer) open(value string) (plain []byte, ok bool) {
	if !isCanonical(value) {
		return nil, false
	}
	err := securecookie.DecodeMulti(s.name, value, &plain, s.codecs...)
	return plain, err == nil
}

// isCanonical reports whether value is the one form of base64 that securecookie writes: Go's decoder skips line
// breaks, a lenient one ignores unused bits, and a value that can be altered unnoticed is no sealed value.
func isCanonical(value string) bool {
	raw, err := base64.URLEncoding.Strict().DecodeString(value)
	return err == nil && base64.URLEncoding.EncodeToString(raw) == value
}
