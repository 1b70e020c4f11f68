package keys

import (
	"encoding/base64"
	"sync/atomic"

	"github.com/gorilla/securecookie"
)

// A Codec seals values of one purpose that browsers or providers hold for us. The sealed text fits
// into a cookie and a URL. A Codec does not open values of another purpose. It is safe for
// concurrent use.
//
// It uses gorilla/securecookie, but not its timestamps: securecookie compares these with the clock
// of this machine, while replicas use the clock of the store. A caller that needs an age seals a
// time with the value.
type Codec struct {
	ring     *Ring
	purpose  string
	limit    int
	encrypts bool
	derived  atomic.Pointer[derived] // from the keys that the ring had at the last call
}

// derived are the codecs for one set of keys of a Ring.
type derived struct {
	from   *keySet
	codecs []securecookie.Codec
}

// Codec returns a Codec that encrypts and authenticates values: AES-256 in counter mode, then
// HMAC-SHA256. A sealed value has at most limit bytes; 0 means no limit. Two Codecs with the same
// purpose open each other's values, so each caller must choose its own.
func (r *Ring) Codec(purpose string, limit int) *Codec {
	return &Codec{ring: r, purpose: purpose, limit: limit, encrypts: true}
}

// Signer returns a Codec that only authenticates values (HMAC-SHA256). Anybody can read them.
func (r *Ring) Signer(purpose string, limit int) *Codec {
	return &Codec{ring: r, purpose: purpose, limit: limit}
}

// Seal seals plain with the ring's first key. Open returns it for the same name only; for a cookie,
// use its name. The error means that the value would be longer than the limit.
func (c *Codec) Seal(name string, plain []byte) (string, error) {
	return securecookie.EncodeMulti(name, plain, c.codecs()...)
}

// Open returns the content of a value that was sealed under name with any of the ring's keys. For
// any other value ok is false, whatever is wrong with it.
func (c *Codec) Open(name, value string) (plain []byte, ok bool) {
	if c.limit > 0 && len(value) > c.limit || !canonical(value) {
		return nil, false
	}
	err := securecookie.DecodeMulti(name, value, &plain, c.codecs()...)
	return plain, err == nil
}

// codecs returns the codecs for the ring's keys, derived anew if the ring has changed.
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
	codec := securecookie.New(hash, block).MaxAge(0).MaxLength(c.limit)
	return codec.SetSerializer(securecookie.NopEncoder{})
}

// canonical reports whether value is the canonical base64 of its bytes. The decoder of securecookie
// skips line breaks and ignores unused bits, so without this check an altered value could still
// open.
func canonical(value string) bool {
	raw, err := base64.URLEncoding.Strict().DecodeString(value)
	return err == nil && base64.URLEncoding.EncodeToString(raw) == value
}
