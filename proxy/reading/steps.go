package reading

import (
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// A state is a path after some steps.
type state struct {
	text string
	// lossy says that one of the steps was lossy. There is at most one of these: no server does
	// two, and each makes the text longer.
	lossy bool
}

// A trait is a property of a text that makes some steps change it.
type trait uint8

const (
	percent trait = 1 << iota
	semicolon
	ending // has a character that may end a path
	backslash
	stream
	beyondASCII
)

// traits returns the traits of a text. If there are none, its readings all have the same Key.
func traits(s string) (t trait) {
	for i := range len(s) {
		switch c := s[i]; {
		case c >= utf8.RuneSelf:
			t |= beyondASCII
		case c == '%':
			t |= percent
		case c == ';':
			t |= semicolon | ending
		case c == '?' || c == '#' || c == 0:
			t |= ending
		case c == '\\':
			t |= backslash
		case c == '$' && i > 0 && s[i-1] == ':':
			t |= stream
		}
	}
	return t
}

// A step is one transformation that some servers apply to a path. It changes only paths with one of
// the traits in when.
type step struct {
	when trait
	do   func(string) string
}

// steps returns all steps but the lossy ones. The most likely attacks come first.
func steps() [9]step {
	return [...]step{
		{percent, decode},
		{semicolon, withoutParameters}, // Tomcat, Jetty, Spring
		{beyondASCII, compatible},
		{beyondASCII, bestFit},
		{percent, decodeWide},
		{ending, func(s string) string { return upTo(s, ";?#\x00") }}, // the rest is a query or fragment; NUL ends strings in C
		{ending, func(s string) string { return upTo(s, "?#\x00") }},
		{backslash, withSlashes}, // Windows
		{stream, withoutStream},  // NTFS
	}
}

// lossySteps returns the steps that read a path in another encoding.
func lossySteps() [2]step { return [...]step{{beyondASCII, lowBytes}, {beyondASCII, asWindows1252}} }

// next appends the result of each step to seen, if it is new.
func (s state) next(seen []state) []state {
	has := traits(s.text)
	if has == 0 {
		return seen
	}
	add := func(n state) {
		if !slices.Contains(seen, n) {
			seen = append(seen, n)
		}
	}
	for _, step := range steps() {
		if has&step.when != 0 {
			add(state{step.do(s.text), s.lossy})
		}
	}
	if s.lossy {
		return seen
	}
	for _, step := range lossySteps() {
		if has&step.when != 0 {
			add(state{step.do(s.text), true})
		}
	}
	return seen
}

// decode undoes one round of percent-encoding. It leaves invalid escapes unchanged, as lenient
// decoders do.
func decode(s string) string { return decoded(s, false) }

// decodeWide also decodes %uXXXX, as Microsoft's servers did.
func decodeWide(s string) string { return decoded(s, true) }

func decoded(s string, wide bool) string {
	var b strings.Builder
	b.Grow(len(s))
	for i := 0; i < len(s); i++ {
		if s[i] == '%' {
			if n, ok := hex(s, i+1, 2); ok {
				b.WriteByte(byte(n))
				i += 2
				continue
			}
			if n, ok := hex(s, i+2, 4); ok && wide && (s[i+1] == 'u' || s[i+1] == 'U') {
				if r := rune(n); utf8.ValidRune(r) {
					b.WriteRune(r)
				} else {
					b.WriteByte(0xff) // half of a surrogate pair is not valid UTF-8
				}
				i += 5
				continue
			}
		}
		b.WriteByte(s[i])
	}
	return b.String()
}

// hex parses a number of hexadecimal digits of s, starting at index from.
func hex(s string, from, digits int) (n uint64, ok bool) {
	if from+digits > len(s) {
		return 0, false
	}
	n, err := strconv.ParseUint(s[from:from+digits], 16, 16)
	return n, err == nil
}

// withoutParameters removes the path parameters of each segment (RFC 3986 §3.3).
func withoutParameters(s string) string { return cutSegments(s, ";") }

// withoutStream removes the names of NTFS streams: admin::$INDEX_ALLOCATION is the folder admin.
func withoutStream(s string) string { return cutSegments(s, ":") }

func cutSegments(s, at string) string {
	segments := strings.Split(s, "/")
	for i, segment := range segments {
		segments[i], _, _ = strings.Cut(segment, at)
	}
	return strings.Join(segments, "/")
}

// upTo returns s up to the first of some characters.
func upTo(s, chars string) string {
	if i := strings.IndexAny(s, chars); i >= 0 {
		return s[:i]
	}
	return s
}

func withSlashes(s string) string { return strings.ReplaceAll(s, `\`, "/") }
