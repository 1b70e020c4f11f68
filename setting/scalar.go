package setting

import (
	"encoding"
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/dustin/go-humanize"
)

// A Kind is how a Scalar is written.
type Kind int

// The kinds.
const (
	Text     Kind = iota
	Boolean       // true or false
	Duration      // 500ms, 30s, 15m, 12h
	Size          // bytes, or a number with KiB, MiB, GiB or TiB
	Integer       // a whole number
)

// A Scalar is a single value.
type Scalar struct {
	Kind    Kind
	Words   []string                  // the only texts; nil: any that Set takes
	Empty   bool                      // whether the empty text is allowed
	Secret  bool                      // whether the value must not be shown; a ${…} reference may
	Hides   func(written string) bool // whether this value is a secret; nil if that is up to Secret
	Set     func(text string) *Fault  // parses and stores the value; nil if it is valid
	present func() string             // the text of the present value, even of a secret
}

// Text implements Value. It is "" for secrets.
func (s Scalar) Text() string {
	if s.HoldsSecret() {
		return ""
	}
	return s.present()
}

// HoldsSecret implements Value.
func (s Scalar) HoldsSecret() bool { return s.Secret || s.Hides != nil }

// OrEmpty returns s, changed to allow the empty text.
func (s Scalar) OrEmpty() Scalar {
	s.Empty = true
	return s
}

// ZeroIsUnset returns s, changed so that the zero value in options means that nothing is set. It is
// for values that must not be zero.
func (s Scalar) ZeroIsUnset() Scalar {
	present := s.present
	s.present = func() string {
		if text := present(); text != "0" {
			return text
		}
		return ""
	}
	return s
}

// String accepts any text.
func String(into *string) Scalar { return Matching(into, func(string) *Fault { return nil }) }

// Matching accepts a text for which check returns nil.
func Matching(into *string, check func(string) *Fault) Scalar {
	return Scalar{
		Set: func(s string) *Fault {
			*into = s
			return check(s)
		},
		present: func() string { return *into },
	}
}

// Each returns the item function for ListOf of a list of texts for which check returns nil.
func Each(check func(string) *Fault) func(*string) Scalar {
	return func(into *string) Scalar { return Matching(into, check) }
}

// Parsed accepts a text that parse can convert; text converts a value back. The value that parse
// returns is stored even if there is a fault, so that later checks of several keys see it.
func Parsed[T any](into *T, parse func(string) (T, *Fault), text func(T) string) Scalar {
	return Scalar{
		Set: func(s string) (f *Fault) {
			*into, f = parse(s)
			return f
		},
		present: func() string { return text(*into) },
	}
}

// Hidden accepts a secret for which check returns nil.
func Hidden(into Secret, check func(string) *Fault) Scalar {
	return Scalar{
		Secret: true,
		Set: func(s string) *Fault {
			if err := into.UnmarshalText([]byte(s)); err != nil {
				return NewFault("can't be read: "+err.Error(), "correct it")
			}
			return check(s)
		},
		present: into.Reveal,
	}
}

// A Secret is a text that must not be shown; *secret.Value is one.
type Secret interface {
	encoding.TextUnmarshaler
	Reveal() string
}

// AnyText is a check that accepts every text.
func AnyText(string) *Fault { return nil }

// OneOf accepts one of the words.
func OneOf(into *string, words ...string) Scalar {
	s := Matching(into, func(s string) *Fault { return CheckOneOf(s, words) })
	s.Words = words
	return s
}

// Enum accepts one of the words and stores the value at the same index.
func Enum[T comparable](into *T, words []string, values []T) Scalar {
	s := Parsed(into, func(s string) (value T, f *Fault) {
		if i := slices.Index(words, s); i >= 0 {
			value = values[i]
		}
		return value, CheckOneOf(s, words)
	}, func(value T) string {
		if i := slices.Index(values, value); i >= 0 {
			return words[i]
		}
		return ""
	})
	s.Words = words
	return s
}

// CheckOneOf returns nil if s is one of the words. Otherwise the fault lists them, or suggests the
// nearest one.
func CheckOneOf(s string, words []string) *Fault {
	if slices.Contains(words, s) {
		return nil
	}
	f := NewFault("is none of "+strings.Join(words, ", "), "write one of them")
	if near := Nearest(s, words); near != "" {
		f.Remedy = "did you mean " + near + "?"
	}
	return f
}

// Bool accepts true or false.
func Bool(into *bool) Scalar {
	s := Parsed(into, func(s string) (bool, *Fault) {
		if s != "true" && s != "false" {
			return false, NewFault("is neither true nor false", "write true or false")
		}
		return s == "true", nil
	}, strconv.FormatBool)
	s.Kind = Boolean
	return s
}

// maxDuration is the longest time that browsers keep a cookie (draft-ietf-httpbis-rfc6265bis §5.5).
const maxDuration = 400 * 24 * time.Hour

// PositiveDuration accepts a duration above zero, of at most 400 days.
func PositiveDuration(into *time.Duration) Scalar { return duration(into, 1).ZeroIsUnset() }

// NonNegativeDuration accepts a duration of zero or more, of at most 400 days.
func NonNegativeDuration(into *time.Duration) Scalar { return duration(into, 0) }

var bareNumber = regexp.MustCompile(`^[0-9]+$`)

func duration(into *time.Duration, least time.Duration) Scalar {
	s := Parsed(into, func(s string) (time.Duration, *Fault) {
		d, err := time.ParseDuration(s)
		const form = "write a number with its unit: 500ms, 30s, 15m or 12h"
		switch {
		case err != nil && bareNumber.MatchString(s):
			return d, &Fault{"is a number without a unit", form}
		case err != nil:
			return d, &Fault{"is not a duration", form}
		case d < 0:
			return d, &Fault{"is negative", form}
		case d < least:
			return d, &Fault{"must be more than 0", form}
		case d > maxDuration:
			return d, NewFault("is longer than 400 days", "write at most 9600h")
		}
		return d, nil
	}, DurationText)
	s.Kind = Duration
	return s
}

// DurationText formats a duration without zero units: 12h, 1m, 0.
func DurationText(d time.Duration) string {
	if d == 0 {
		return "0"
	}
	text := d.String()
	if strings.HasSuffix(text, "m0s") {
		text = strings.TrimSuffix(text, "0s")
	}
	if strings.HasSuffix(text, "h0m") {
		text = strings.TrimSuffix(text, "0m")
	}
	return text
}

var sizeForm = regexp.MustCompile(`^[0-9]+(\.[0-9]+)? ?([KMGT]iB|B)?$`)

// Bytes accepts a size. It refuses kB and MB, because people disagree on whether these mean
// thousands.
func Bytes(into *int64) Scalar {
	s := Parsed(into, func(s string) (int64, *Fault) {
		const form = "write bytes as a bare number, or 64KiB, 10MiB, 1GiB; 0 means unlimited"
		if !sizeForm.MatchString(s) {
			return 0, &Fault{"is not a size", form}
		}
		n, err := humanize.ParseBytes(s)
		if err != nil || n > math.MaxInt64 {
			return 0, &Fault{"is more than can be counted", form}
		}
		return int64(n), nil
	}, bytesText)
	s.Kind = Size
	return s
}

// bytesText formats a number of bytes in the largest unit that divides it.
func bytesText(n int64) string {
	unit := ""
	for _, larger := range []string{"KiB", "MiB", "GiB", "TiB"} {
		if n == 0 || n%1024 != 0 {
			break
		}
		n, unit = n/1024, larger
	}
	return strconv.FormatInt(n, 10) + unit
}

// Number accepts a whole number that is not negative.
func Number(into *int) Scalar {
	s := Parsed(into, func(s string) (int, *Fault) {
		n, err := strconv.ParseUint(s, 10, 31)
		if err != nil {
			const remedy = "write a number such as 5 or 10000; 0 means any number"
			return 0, NewFault("is not a whole number", remedy)
		}
		return int(n), nil
	}, strconv.Itoa)
	s.Kind = Integer
	return s
}

// MaxName is the greatest length, in characters, of a name that is used in URLs, cookies or logs.
const MaxName = 64

var token = regexp.MustCompile("^[!#$%&'*+.^_`|~0-9A-Za-z-]+$")

// IsToken reports whether a name is a token of at most MaxName characters (RFC 9110 §5.6.2).
func IsToken(name string) bool { return token.MatchString(name) && len(name) <= MaxName }

var scopeToken = regexp.MustCompile(`^[\x21\x23-\x5b\x5d-\x7e]+$`)

// CheckScope returns nil if s is one scope token (RFC 6749 §3.3).
func CheckScope(s string) *Fault {
	if !scopeToken.MatchString(s) {
		const remedy = "write each scope as an item of its own, without blanks or quotes (RFC 6749 §3.3)"
		return NewFault("is not a scope", remedy)
	}
	return nil
}
