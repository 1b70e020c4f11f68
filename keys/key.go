// Package keys is the keyring. It holds session.keys, and seals, signs and fingerprints with them.
//
// A Ring holds the keys. They can be replaced in one step while the Ring is in use. A Codec of the
// Ring seals values for browsers and providers, and Ring.Seal seals records for a store. Each
// purpose has its own keys, derived from the configured ones, so that a value of one purpose does
// not pass for a value of another.
//
// Its weak point: anybody who learns a configured key can open and forge every value that it seals.
//
// Browsers and stores hold sealed values, so a change of a purpose, name or format logs everybody
// out. The package does not know what is sealed, and nothing of cookie attributes, stores or ages.
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

// Parse reads a key in base64. It accepts the standard and the URL alphabet, with and without
// padding, because tools differ in what they print. The error describes the text as "it" ("it is
// not base64") and does not show it.
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
		return Key{}, errors.New("all its bytes are the same, so anybody can guess it")
	}
	return Key(b), nil
}

// Reveal returns the key in base64, as Parse reads it. Call it only to give the key to its owner:
// printed on request, or written to a file that only the owner can read.
func (k Key) Reveal() string { return base64.StdEncoding.EncodeToString(k[:]) }

// Format implements fmt.Formatter with a mask, whatever the verb.
func (k Key) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, k.masked()) }

// MarshalText implements encoding.TextMarshaler with a mask; JSON and slog use it too.
func (k Key) MarshalText() ([]byte, error) { return []byte(k.masked()), nil }

func (k Key) masked() string { return secret.New(string(k[:])).String() }
