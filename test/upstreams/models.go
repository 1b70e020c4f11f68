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

// A Model models how a program interprets paths.
type Model struct {
	Name string
	// Reads returns the path that the program serves for target, or false if it refuses the
	// request.
	Reads func(target string) (served string, ok bool)
	// IgnoresCase means that the program compares paths without regard to case.
	IgnoresCase bool
}

// Models returns all models, chains of two programs last.
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
		chain := func(target string) (string, bool) {
			read, ok := Nginx(target)
			if !ok {
				return "", false
			}
			return behind.Reads(escapedByNginx(read))
		}
		all = append(all, Model{
			Name: "nginx with a URI, then " + behind.Name, IgnoresCase: behind.IgnoresCase, Reads: chain,
		})
	}
	return all
}

// Area returns the longest of areas that contains the path that the program serves for target. It
// returns false if none does, or if the program refuses the request.
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

// Tomcat models Tomcat 10.1: it removes path parameters, decodes once, refuses encoded slashes and
// backslashes, and then resolves dot segments and merges slashes (CoyoteAdapter.postParseRequest).
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

// Nginx models nginx: it decodes once, merges slashes and resolves dot segments
// (ngx_http_parse_complex_uri). If proxy_pass has a URI, it forwards that path, escaped again;
// otherwise it forwards the original path.
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

// followed resolves dot segments and, if merge is set, merges slashes. It returns false if they
// lead above the root.
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

// Express models Express, which compares the path as received with the paths of routes, ignoring
// case.
func Express(target string) (string, bool) { return target, true }

// ExpressParameters models an Express application that compares its route's parameters, which
// Express decodes one by one.
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

// AspNetCore models ASP.NET Core: it decodes once, except slashes, resolves dot segments, and
// compares routes ignoring case (Kestrel's PathDecoder).
func AspNetCore(target string) (string, bool) {
	guarded := strings.NewReplacer("%2f", "%252f", "%2F", "%252F").Replace(target)
	s, err := url.PathUnescape(guarded)
	if err != nil || strings.Contains(s, "\x00") {
		return "", false
	}
	return followed(s, false)
}

// decoder models a program that decodes several times, removes parameters if it does so more than
// once, and cleans the path.
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

// Windows models opening a file on Windows: both slashes separate, case is ignored, dots and spaces
// at the end of a name and the names of streams are dropped.
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

// Normaliser models a database or file system with a tolerant collation. It decodes once,
// normalizes to compatibility forms, and ignores case, accents and invisible characters.
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

// lowBytes models a program that decodes and writes the lowest byte of each character, as Node.js
// does for "latin1".
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
