// Package secret holds the one type that every token, key, code and password travels in.
//
// It keeps a value from being shown by accident: printed, logged or marshalled, it is "***". It can't
// keep anybody from calling Reveal; the name is there to be searched for in a review.
package secret

import (
	"crypto/subtle"
	"fmt"
	"io"
	"log/slog"
)

// mask is what every accidental rendering of a Value shows.
const mask = "***"

// A Value is a string that must not be seen. The zero Value is the empty secret.
type Value struct{ s string }

// New wraps s.
func New(s string) Value { return Value{s} }

// Reveal returns the secret itself. Call it only where the value leaves for the one party it is
// meant for (a request to the provider, the upstream's Authorization header, the sealed record).
func (v Value) Reveal() string { return v.s }

// IsZero reports whether the secret is empty, which means: there is none.
func (v Value) IsZero() bool { return v.s == "" }

// Equal compares in constant time (length excepted).
func (v Value) Equal(other string) bool {
	return subtle.ConstantTimeCompare([]byte(v.s), []byte(other)) == 1
}

// String implements fmt.Stringer with the mask.
func (v Value) String() string {
	if v.s == "" {
		return ""
	}
	return mask
}

// Format implements fmt.Formatter, so that no verb, %#v and %x included, prints the secret.
func (v Value) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, v.String()) }

// LogValue implements slog.LogValuer with the mask.
func (v Value) LogValue() slog.Value { return slog.StringValue(v.String()) }

// MarshalText implements encoding.TextMarshaler with the mask; JSON and YAML use it too.
func (v Value) MarshalText() ([]byte, error) { return []byte(v.String()), nil }

// UnmarshalText implements encoding.TextUnmarshaler: it takes the secret as it is.
func (v *Value) UnmarshalText(b []byte) error {
	v.s = string(b)
	return nil
}
