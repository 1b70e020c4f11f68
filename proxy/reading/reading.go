// Package reading enumerates the ways in which servers may read a request path.
//
// If two servers read a path differently, a client can get around the checks of the first one
// (PX4). So this package answers two questions: whether a path is ambiguous by itself, and as which
// paths some server may read it. It knows no routes; package proxy looks up the route of each
// reading.
//
// A reading is the result of a sequence of steps. Each step is one that some server, framework or
// file system does: decode, remove path parameters, normalize Unicode, drop trailing dots, and so
// on. Of tries every sequence. Its weak point is a step that is missing here. It does not know
// alternative names that an application itself defines (/admin.json, or a short name such as
// ADMINI~1).
package reading

import (
	"iter"
	"strings"
	"unicode"
	"unicode/utf8"
)

const (
	// maxRounds is how many times a path may be percent-encoded.
	maxRounds = 2
	// maxLength and maxWork limit the work for a path with traits to some milliseconds. They are
	// the greatest lengths in bytes of the path and of all its readings together. Longer ones are
	// refused. Ordinary paths have about twenty readings.
	maxLength = 8 << 10
	maxWork   = 64 << 10
)

// Ambiguous reports whether servers may disagree about an escaped path, whatever the routes are.
// With encodedSlashes, an encoded slash alone is not ambiguous: some APIs, such as GitLab's, have
// identifiers with slashes.
func Ambiguous(escaped string, encodedSlashes bool) bool {
	if escaped == "" || escaped[0] != '/' {
		return true
	}
	if unclear(escaped) {
		return true
	}
	if traits(escaped) == 0 {
		return false
	}
	if len(escaped) > maxLength {
		return true
	}
	return unclearDecoded(escaped, decode, encodedSlashes) || unclearDecoded(escaped, decodeWide, encodedSlashes)
}

// unclearDecoded reports whether a path becomes unclear after a round of decoding.
func unclearDecoded(s string, decoded func(string) string, encodedSlashes bool) bool {
	for range maxRounds {
		next := decoded(s)
		if next == s {
			break
		}
		if unclear(next) || !encodedSlashes && strings.Count(next, "/") != strings.Count(s, "/") {
			return true
		}
		s = next
	}
	return decoded(s) != s || hasDots(compatible(s))
}

// unclear reports whether a path has something that servers treat differently: control characters,
// backslashes, invalid UTF-8 (including overlong forms), dot segments, or segments that are empty
// without their parameters.
func unclear(s string) bool {
	if strings.IndexByte(s, '\\') >= 0 || !utf8.ValidString(s) || strings.ContainsFunc(s, unicode.IsControl) {
		return true
	}
	rest, more := s[1:], true
	for more {
		var segment string
		segment, rest, more = strings.Cut(rest, "/")
		name, _, _ := strings.Cut(segment, ";")
		if name == "" && (more || segment != "") {
			return true // only the last segment may be empty, as in /api/
		}
		if dots(segment) {
			return true
		}
	}
	return false
}

func hasDots(s string) bool {
	for segment := range strings.SplitSeq(s, "/") {
		if dots(segment) {
			return true
		}
	}
	return false
}

// dots reports whether a segment consists of dots and spaces, up to its parameters, query or
// fragment. Windows drops trailing dots and spaces.
func dots(segment string) bool {
	if i := strings.IndexAny(segment, ";?#"); i >= 0 {
		segment = segment[:i]
	}
	return strings.IndexByte(segment, '.') >= 0 && strings.Trim(segment, ". +") == ""
}

// Of yields the keys of all readings of an escaped path. The first is that of the path itself; a
// key may repeat. It ends with "" and false if there are too many readings, or if one of them has a
// segment that leads upwards, because servers disagree about where that leads. Such a path must be
// refused.
func Of(escaped string) iter.Seq2[string, bool] {
	return func(yield func(string, bool) bool) {
		seen, clear, work := []state{{text: escaped}}, len(escaped) <= maxLength || traits(escaped) == 0, 0
		for i := 0; clear && i < len(seen); i++ {
			if !yield(Key(seen[i].text), true) {
				return
			}
			if traits(seen[i].text) != 0 {
				work += len(seen[i].text)
				seen = seen[i].next(seen)
			}
			clear = work <= maxWork && !climbs(seen[i].text)
		}
		if !clear {
			yield("", false)
		}
	}
}

// climbs reports whether a path has a segment that leads upwards.
func climbs(s string) bool {
	if !strings.Contains(s, "..") {
		return false
	}
	for segment := range strings.SplitSeq(s, "/") {
		if strings.Contains(segment, "..") && dots(segment) {
			return true
		}
	}
	return false
}

// Key returns the form in which paths are compared: in lower case (of ASCII; the readings cover
// Unicode), without empty segments, trailing dots and surrounding spaces. Dot segments are
// resolved, and a + is a space. A key has no trailing slash; that of / is empty.
func Key(p string) string {
	out, starts := make([]byte, 0, len(p)+1), make([]int, 0, 16) // starts of the segments in out
	for rest, more := p, true; more; {
		var segment string
		segment, rest, more = strings.Cut(rest, "/")
		name := strings.Trim(segment, " +")
		if name == ".." {
			if n := len(starts); n > 0 {
				out, starts = out[:starts[n-1]], starts[:n-1]
			}
			continue
		}
		if name = strings.TrimRight(name, ". +"); name == "" {
			continue
		}
		starts = append(starts, len(out))
		out = append(out, '/')
		for i := range len(name) {
			c := name[i]
			switch {
			case 'A' <= c && c <= 'Z':
				c += 'a' - 'A'
			case c == '+':
				c = ' '
			}
			out = append(out, c)
		}
	}
	return string(out)
}
