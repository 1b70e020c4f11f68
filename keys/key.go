// Package keys is the keyring: session.keys, and whatever is sealed, signed or recognized under them.
//
// A Ring holds the keys, and its content is replaced in one step while everybody goes on using it.
// A Codec made from it seals values for browsers and providers, for one purpose each; Ring.Seal seals
// records for a store. Each purpose has keys of its own, derived from the configured ones, so that no
// value can be passed off as one of another purpose.
//
// Its weak point: whoever learns one configured key can open, and make, everything that it seals.
//
// The purposes, names and formats are what browsers and stores hold: a change of any of them logs
// everybody out. The package knows nothing of what is sealed, of cookies' attributes, stores or ages.
package keys

import (
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/cloakroom/cloakroom/secret"
)

// Size is the length of a Key in bytes.
const Size = 32

// A Key is one of session.keys. Printed, logged or marshalled it is masked.
type Key [Size]byte

// Generate returns a fresh random key.
func Generate() Key {
	var k Key
	rand.Read(k[:]) // never fails (crypto/rand, Go 1.24)
	return k
}

// Parse reads a key that is written in base64. It takes the standard and the URL alphabet, with and
// without padding, because tools differ in what they print. The error says what is wrong with text,
// as a sentence about it ("it is not base64"), and shows nothing of it.
func Parse(text string) (Key, error) {
	text = strings.TrimRight(text, "=")
	text = strings.NewReplacer("-", "+", "_", "/").Replace(text)
	b, err := base64.RawStdEncoding.DecodeString(text)
	if err != nil {
		return Key{}, errors.New("it is not base64")
	}
	if len(b) != Size {
		return Key{}, fmt.Errorf("it holds %d bytes, not %d", len(b), Size)
	}
	if slices.Max(b) == slices.Min(b) {
		return Key{}, errors.New("all its bytes are the same, and anybody can guess it")
	}
	return Key(b), nil
}

// Reveal returns the key in base64, as Parse reads it. Call it only where the key is given to its
// owner: printed on request, or written into a file of the owner's own.
func (k Key) Reveal() string { return base64.StdEncoding.EncodeToString(k[:]) }

// Format implements fmt.Formatter with a mask, whatever the verb.
func (k Key) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, k.masked()) }

// MarshalText implements encoding.TextMarshaler with a mask; JSON and slog use it too.
func (k Key) MarshalText() ([]byte, error) { return []byte(k.masked()), nil }

func (k Key) masked() string { return secret.New(string(k[:])).String() }
