package reading

import (
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// A state is what a path has become on the way to a reading.
type state struct {
	text string
	// lossy: its bytes or code points were mistaken for those of another encoding. No program does so
	// twice, and the text would grow each time.
	lossy bool
}

// A trait is something in a text that a step has to do with.
type trait uint8

const (
	percent trait = 1 << iota
	semicolon
	ending // what may end a path
	backslash
	stream
	beyondASCII
)

// traits are what a text has; none: its case, and what Key drops, is all that it can be read by.
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

// A step is what some programs do to a path, on its own, where the path has a trait.
type step struct {
	when trait
	do   func(string) string
}

// steps are all that there are but the lossy ones. They come in the order in which most of what tries
// to get around a route is found soonest.
func steps() [9]step {
	return [...]step{
		{percent, decode},
		{semicolon, withoutParameters}, // Tomcat, Jetty, Spring
		{beyondASCII, compatible},
		{beyondASCII, bestFit},
		{percent, decodeWide},
		{ending, func(s string) string { return upTo(s, ";?#\x00") }}, // what follows is taken for a query, a fragment or nothing (C)
		{ending, func(s string) string { return upTo(s, "?#\x00") }},
		{backslash, withSlashes}, // Windows
		{stream, withoutStream},  // NTFS
	}
}

// lossySteps take a path's characters for those of another encoding.
func lossySteps() [2]step { return [...]step{{beyondASCII, lowBytes}, {beyondASCII, asWindows1252}} }

// next adds to seen what each step makes of s, where that is new.
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

// decode undoes one round of percent-encoding, and leaves what is none as it stands, as lenient
// decoders do.
func decode(s string) string { return decoded(s, false) }

// decodeWide knows %uXXXX as well, as Microsoft's servers did.
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
					b.WriteByte(0xff) // half a surrogate pair: no UTF-8 either
				}
				i += 5
				continue
			}
		}
		b.WriteByte(s[i])
	}
	return b.String()
}

// hex reads so many hexadecimal digits of s, from index from on.
func hex(s string, from, digits int) (n uint64, ok bool) {
	if from+digits > len(s) {
		return 0, false
	}
	n, err := strconv.ParseUint(s[from:from+digits], 16, 16)
	return n, err == nil
}

// withoutParameters cuts each segment's path parameters (RFC 3986 §3.3).
func withoutParameters(s string) string { return cutSegments(s, ";") }

// withoutStream cuts the name of an NTFS stream: admin::$INDEX_ALLOCATION is the folder admin.
func withoutStream(s string) string { return cutSegments(s, ":") }

func cutSegments(s, at string) string {
	segments := strings.Split(s, "/")
	for i, segment := range segments {
		segments[i], _, _ = strings.Cut(segment, at)
	}
	return strings.Join(segments, "/")
}

// upTo cuts a path at the first of some characters.
func upTo(s, chars string) string {
	if i := strings.IndexAny(s, chars); i >= 0 {
		return s[:i]
	}
	return s
}

func withSlashes(s string) string { return strings.ReplaceAll(s, `\`, "/") }
