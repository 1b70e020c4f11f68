package upstreams

import (
	"net/url"
	"path"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/cases"
	"golang.org/x/text/unicode/norm"
)

// A Model is a program that serves paths.
type Model struct {
	Name string
	// Reads is the path that it serves when it is asked for target; false when it refuses.
	Reads func(target string) (served string, ok bool)
	// IgnoresCase: it finds what it serves without regard to case.
	IgnoresCase bool
}

// Models are all that there are, the chains of two programs last.
func Models() []Model {
	single := []Model{
		{Name: "Tomcat", Reads: Tomcat},
		{Name: "nginx", Reads: Nginx},
		{Name: "Express", Reads: Express, IgnoresCase: true},
		{Name: "Express parameters", Reads: ExpressParameters, IgnoresCase: true},
		{Name: "ASP.NET Core", Reads: AspNetCore, IgnoresCase: true},
		{Name: "plain decoder", Reads: decoder(1)},
		{Name: "double decoder", Reads: decoder(2)},
		{Name: "Windows", Reads: Windows, IgnoresCase: true},
		{Name: "Unicode normaliser", Reads: Normaliser, IgnoresCase: true},
		{Name: "Latin-1 writer", Reads: lowBytes},
	}
	all := single
	for _, behind := range single {
		all = append(all, Model{Name: "nginx with a URI, then " + behind.Name, IgnoresCase: behind.IgnoresCase, Reads: func(target string) (string, bool) {
			read, ok := Nginx(target)
			if !ok {
				return "", false
			}
			return behind.Reads(escapedByNginx(read))
		}})
	}
	return all
}

// Area returns which of some paths holds what the program serves when it is asked for target: the
// longest; false where none does, or it refuses.
func (m Model) Area(target string, areas []string) (area string, ok bool) {
	served, ok := m.Reads(target)
	if !ok {
		return "", false
	}
	fold := func(s string) string { return s }
	if m.IgnoresCase {
		fold = cases.Fold().String
	}
	served, ok = fold(served), false
	for _, a := range areas {
		inner, below := strings.CutPrefix(served, fold(strings.TrimSuffix(a, "/")))
		if below && (inner == "" || inner[0] == '/') && (!ok || len(a) > len(area)) {
			area, ok = a, true
		}
	}
	return area, ok
}

// Tomcat 10.1 cuts path parameters, decodes once, and refuses encoded slashes and backslashes before
// it follows dot segments and merges slashes (CoyoteAdapter.postParseRequest).
func Tomcat(target string) (string, bool) {
	cut := strings.Split(target, "/")
	for i := range cut {
		cut[i], _, _ = strings.Cut(cut[i], ";")
	}
	s := strings.Join(cut, "/")
	if lower := strings.ToLower(s); strings.Contains(lower, "%2f") || strings.Contains(lower, "%5c") {
		return "", false
	}
	s, err := url.PathUnescape(s)
	if err != nil || strings.ContainsAny(s, "\\\x00") {
		return "", false
	}
	s, ok := followed(s, true)
	if name := cut[len(cut)-1]; ok && len(s) > 1 && dotted(name) {
		s = strings.TrimSuffix(s, "/")
	}
	return s, ok && utf8.ValidString(s)
}

// dotted reports whether an escaped segment is a dot segment.
func dotted(segment string) bool {
	name, err := url.PathUnescape(segment)
	return err == nil && (name == "." || name == "..")
}

// Nginx decodes once, merges slashes and follows dot segments (ngx_http_parse_complex_uri). What it
// asks of the program behind it is this, escaped anew, where proxy_pass has a URI, and else the path as
// it came.
func Nginx(target string) (string, bool) {
	s, err := url.PathUnescape(target)
	if err != nil || strings.Contains(s, "\x00") {
		return "", false
	}
	return followed(s, true)
}

// escapedByNginx is how nginx escapes a path that it has decoded (ngx_escape_uri).
func escapedByNginx(s string) string {
	var b strings.Builder
	for i := range len(s) {
		if c := s[i]; c <= ' ' || c >= 0x7f || strings.IndexByte(`"#%<>?\^`+"`{|}", c) >= 0 {
			b.WriteByte('%')
			b.WriteByte("0123456789ABCDEF"[c>>4])
			b.WriteByte("0123456789ABCDEF"[c&15])
		} else {
			b.WriteByte(c)
		}
	}
	return b.String()
}

// followed follows dot segments, and merges slashes, too, where it is told to; false if they lead above
// the root.
func followed(s string, merge bool) (string, bool) {
	var kept []string
	segments := strings.Split(s, "/")[1:]
	for i, segment := range segments {
		last := i == len(segments)-1
		switch {
		case segment == "." || segment == "" && merge:
		case segment == "..":
			if len(kept) == 0 {
				return "", false
			}
			kept = kept[:len(kept)-1]
		default:
			kept = append(kept, segment)
			continue
		}
		if last {
			kept = append(kept, "")
		}
	}
	return "/" + strings.Join(kept, "/"), true
}

// Express compares the path as it comes with the paths of routes, without case.
func Express(target string) (string, bool) { return target, true }

// ExpressParameters is an application that compares its route's parameters, which Express decodes one
// by one.
func ExpressParameters(target string) (string, bool) {
	segments := strings.Split(target, "/")
	for i, segment := range segments {
		decoded, err := url.PathUnescape(segment)
		if err != nil || !utf8.ValidString(decoded) {
			return "", false
		}
		segments[i] = strings.ReplaceAll(decoded, "/", "%2F") // it stays within its parameter
	}
	return strings.Join(segments, "/"), true
}

// AspNetCore decodes once, all but slashes, follows dot segments, and finds routes without case
// (Kestrel's PathDecoder).
func AspNetCore(target string) (string, bool) {
	guarded := strings.NewReplacer("%2f", "%252f", "%2F", "%252F").Replace(target)
	s, err := url.PathUnescape(guarded)
	if err != nil || strings.Contains(s, "\x00") {
		return "", false
	}
	return followed(s, false)
}

// decoder decodes so many times, cuts parameters after the last, and cleans the path up.
func decoder(times int) func(string) (string, bool) {
	return func(s string) (string, bool) {
		for range times {
			if next, err := url.PathUnescape(s); err == nil {
				s = next
			}
		}
		s = strings.ReplaceAll(s, `\`, "/")
		if times > 1 {
			segments := strings.Split(s, "/")
			for i := range segments {
				segments[i], _, _ = strings.Cut(segments[i], ";")
			}
			s = strings.Join(segments, "/")
		}
		return path.Clean(s), true
	}
}

// Windows opens a file: both slashes, no case, no dots and spaces at a name's end, no stream's name.
func Windows(target string) (string, bool) {
	s, err := url.PathUnescape(target)
	if err != nil || strings.Contains(s, "\x00") {
		return "", false
	}
	segments := strings.Split(strings.ReplaceAll(s, `\`, "/"), "/")
	for i, name := range segments {
		if name == "." || name == ".." {
			continue
		}
		name, _, _ = strings.Cut(name, ":$")
		segments[i] = strings.TrimRight(strings.TrimSuffix(name, ":"), ". ")
	}
	return path.Clean(strings.Join(segments, "/")), true
}

// Normaliser decodes once, and compares as a database or a file system with a tolerant collation does:
// compatibility forms, no case, no accents, nothing invisible.
func Normaliser(target string) (string, bool) {
	s, err := url.PathUnescape(target)
	if err != nil {
		return "", false
	}
	s = norm.NFKD.String(cases.Fold().String(norm.NFKC.String(s)))
	s = strings.Map(func(r rune) rune {
		if unicode.In(r, unicode.Mn, unicode.Cf) {
			return -1
		}
		return r
	}, s)
	return path.Clean(strings.TrimSpace(s)), true
}

// lowBytes decodes, and writes the lowest byte of each character, as Node.js does in "latin1".
func lowBytes(target string) (string, bool) {
	s, err := url.PathUnescape(target)
	if err != nil || !utf8.ValidString(s) {
		return "", false
	}
	s = strings.Map(func(r rune) rune { return r & 0xff }, s)
	s, _, _ = strings.Cut(s, "\x00")
	if !strings.HasPrefix(s, "/") {
		return "", false
	}
	return path.Clean(s), true
}
