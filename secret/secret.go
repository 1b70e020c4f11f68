// Package secret has the type of every token, key, code and password, and finds secrets in texts.
//
// A Value is not shown by accident: printed, logged or marshalled it is "***". Only Reveal returns
// the secret, so a review can search for its callers.
package secret

import (
	"crypto/subtle"
	"fmt"
	"io"
	"log/slog"
)

// mask is the printed, logged and marshalled form of a Value.
const mask = "***"

// A Value is a string that must not be shown. The zero Value is the empty secret.
type Value struct{ s string }

// New wraps s.
func New(s string) Value { return Value{s} }

// Reveal returns the secret itself. Call it only to hand the secret to the party it is meant for,
// as in a request to the provider, the Authorization header of an upstream request, or a sealed
// record.
func (v Value) Reveal() string { return v.s }

// IsZero reports whether there is no secret.
func (v Value) IsZero() bool { return v.s == "" }

// Equal reports whether the secret is other. Its time depends on the lengths only.
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

// UnmarshalText implements encoding.TextUnmarshaler. The secret is b, unchanged.
func (v *Value) UnmarshalText(b []byte) error {
	v.s = string(b)
	return nil
}
