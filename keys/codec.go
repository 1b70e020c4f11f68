package keys

import (
	"encoding/base64"
	"sync/atomic"

	"github.com/gorilla/securecookie"
)

// A Codec seals one kind of value for its way through browsers and providers, as text that fits into
// a cookie and a URL. Values of another purpose don't open. It is safe for concurrent use.
//
// gorilla/securecookie does the work. What is sealed has no age: securecookie would judge that by
// this machine's clock, and replicas share another. A caller that needs an age seals the time inside.
type Codec struct {
	ring     *Ring
	purpose  string
	limit    int
	encrypts bool
	derived  atomic.Pointer[derived] // of the ring's keys when it was last used
}

// derived are the codecs of the keys that a Ring held at one time.
type derived struct {
	from   *holding
	codecs []securecookie.Codec
}

// Codec returns what encrypts and authenticates values of one purpose: AES-256 in counter mode, then
// HMAC-SHA256. No value is longer than limit bytes; 0 means any length. Each caller has a purpose of
// its own: two Codecs of one purpose open each other's values.
func (r *Ring) Codec(purpose string, limit int) *Codec {
	return &Codec{ring: r, purpose: purpose, limit: limit, encrypts: true}
}

// Signer is a Codec that signs only (HMAC-SHA256): whoever has a value can read what is in it.
func (r *Ring) Signer(purpose string, limit int) *Codec {
	return &Codec{ring: r, purpose: purpose, limit: limit}
}

// Seal returns plain under the ring's first key. The value opens under the same name only, which is
// that of the cookie, where there is one. The error is that the value would be too long.
func (c *Codec) Seal(name string, plain []byte) (string, error) {
	return securecookie.EncodeMulti(name, plain, c.codecs()...)
}

// Open returns what was sealed under name, by any of the ring's keys. It is false for every other
// value; what is wrong with one is not told.
func (c *Codec) Open(name, value string) (plain []byte, ok bool) {
	if c.limit > 0 && len(value) > c.limit || !canonical(value) {
		return nil, false
	}
	err := securecookie.DecodeMulti(name, value, &plain, c.codecs()...)
	return plain, err == nil
}

// codecs derives the keys of the purpose again when the ring's keys are others than last time.
func (c *Codec) codecs() []securecookie.Codec {
	held := c.ring.held.Load()
	if d := c.derived.Load(); d != nil && d.from == held {
		return d.codecs
	}
	d := &derived{from: held}
	for _, k := range held.keys {
		d.codecs = append(d.codecs, c.codec(k))
	}
	c.derived.Store(d)
	return d.codecs
}

func (c *Codec) codec(k Key) securecookie.Codec {
	hash, block := derive(k, c.purpose), []byte(nil)
	if c.encrypts {
		hash, block = derive(k, c.purpose+" hash"), derive(k, c.purpose+" block")
	}
	return securecookie.New(hash, block).MaxAge(0).MaxLength(c.limit).SetSerializer(securecookie.NopEncoder{})
}

// canonical reports whether value is the one base64 form of its bytes. securecookie's decoder skips
// line breaks and ignores unused bits. Without this check a value could be altered and still open.
func canonical(value string) bool {
	raw, err := base64.URLEncoding.Strict().DecodeString(value)
	return err == nil && base64.URLEncoding.EncodeToString(raw) == value
}
