// Package reading knows what programs make of a request's path.
//
// Two programs that read one path differently are a way around whatever the first of them guards
// (PX4). So this package answers two questions: whether a path is unclear in itself, and as which
// paths some program could take it. It knows no routes; package proxy asks whose each reading is.
//
// A reading is a chain of steps, each of which some server, framework or file system takes: decode,
// cut path parameters, normalise Unicode, drop trailing dots, and so on. Of follows every chain. Its
// weak point is a step that is missing here. A name in another spelling of the application's own
// (/admin.json, a short name such as ADMINI~1) is another path to it.
package reading

import (
	"iter"
	"strings"
	"unicode"
	"unicode/utf8"
)

const (
	// maxRounds is how often a path may be percent-encoded over.
	maxRounds = 2
	// maxLength and maxWork bound the work for a path that is not plain, in bytes, by itself and of all
	// its readings together: some milliseconds. What exceeds them is refused; honest paths have some
	// twenty readings.
	maxLength = 8 << 10
	maxWork   = 64 << 10
)

// Ambiguous reports whether the meaning of an escaped path depends on who decodes it, whatever the
// routes are. With encodedSlashes an encoded slash is not unclear in itself: some APIs, GitLab's for
// one, have identifiers with slashes in them.
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

// unclearDecoded looks at what each round of decoding makes of a path.
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

// unclear looks for what programs disagree about: controls, backslashes, bytes that are no UTF-8
// (overlong forms among them), and segments that are dots, or nothing once their parameters are cut.
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
			return true // the last may be empty: /api/ has its slash for the end
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

// dots reports whether a segment is made of dots, perhaps with white space, before its parameters, its
// query or its fragment begins. Windows drops trailing dots and spaces.
func dots(segment string) bool {
	if i := strings.IndexAny(segment, ";?#"); i >= 0 {
		segment = segment[:i]
	}
	return strings.IndexByte(segment, '.') >= 0 && strings.Trim(segment, ". +") == ""
}

// Of yields the keys of every reading of an escaped path, that of the path as it stands first; a key
// may come again. It ends with "" and false if there are more than can be looked at, or one of them
// climbs by a dot segment, since where that ends depends on what else is a segment. Such a path must be
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

// climbs reports whether a segment leads upwards.
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

// Key is the form in which paths are compared: without case (ASCII's; the readings hold Unicode's),
// empty segments, trailing dots and surrounding spaces; dot segments are followed, a + is a space.
// It has no slash at its end; that of / is empty.
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
