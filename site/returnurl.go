package site

import (
	"net/url"
	"path"
	"strings"
	"unicode"
	"unicode/utf8"
)

// MaxReturnURL bounds a return URL as it is sent on, in bytes. It travels in a login attempt's cookie,
// encrypted and encoded twice, and browsers drop cookies of more than 4096 bytes (RFC 6265bis §5.6).
const MaxReturnURL = 1800

// ReturnURL judges where a browser may be sent after a login or a logout: what ReturnPath takes, or a
// URL of an allowed origin. That is judged by what follows the origin: it must be empty or such a
// path, so that nothing can make another host of it.
func (s *Site) ReturnURL(given string) (string, bool) {
	for _, origin := range s.o.AllowedOrigins {
		rest, ours := strings.CutPrefix(given, origin)
		if !ours || rest != "" && rest[0] != '/' {
			continue
		}
		path, ok := s.ReturnPath(rest)
		if !ok {
			return "", false
		}
		return origin + path, true
	}
	return s.ReturnPath(given)
}

// ReturnPath takes a path on this origin, with query and fragment if it likes, but none below the base
// path, except the page of one's sessions. It returns the form to send on, in which nothing is decoded
// and only what no URL may hold as it is gets percent-encoded; that form is the one that was judged.
// The empty string means "/".
//
// The judgement is that of the parser which will read the Location header, the browser's (WHATWG URL
// §4.4), not that of net/url: tabs and line breaks vanish there, a backslash is a slash, and what
// then begins with two slashes names another host (RFC 9700 §4.11.1, open redirectors).
func (s *Site) ReturnPath(given string) (string, bool) {
	if given == "" {
		return "/", true
	}
	if len(given) > MaxReturnURL || !utf8.ValidString(given) || !onlyVisible(given) {
		return "", false
	}
	if given[0] != '/' || strings.HasPrefix(given, "//") {
		return "", false
	}
	sent := escape(given)
	if len(sent) > MaxReturnURL {
		return "", false
	}
	p := sent
	if end := strings.IndexAny(sent, "?#"); end >= 0 {
		p = sent[:end]
	}
	if !plainPath(p) || s.reaches(p) && sent != s.SessionsPage() {
		return "", false
	}
	return sent, true
}

// onlyVisible refuses what browsers strip or turn into something else: control characters (tab, CR
// and LF vanish), backslashes, and the invisible and direction-changing characters of Unicode, which
// make a link look like another one.
func onlyVisible(s string) bool {
	for _, r := range s {
		if r == '\\' || r == ' ' && s[0] == ' ' || Hidden(r) {
			return false
		}
	}
	return true
}

// escape percent-encodes the bytes that are not allowed in any part of a URL (RFC 3986 §2) and that
// a browser would encode itself. Existing escapes stay as they are.
func escape(s string) string {
	const hexDigits = "0123456789ABCDEF"
	var b strings.Builder
	for i := range len(s) {
		c := s[i]
		if c > ' ' && c < 0x7f && !strings.ContainsRune("\"<>^`{|}", rune(c)) {
			b.WriteByte(c)
			continue
		}
		b.Write([]byte{'%', hexDigits[c>>4], hexDigits[c&15]})
	}
	return b.String()
}

// plainPath refuses paths that mean something else to whoever decodes or cleans them once more:
// dot segments in any spelling, which can leave two slashes at the front (`/..//host`), encoded
// control characters and backslashes, an encoded slash right after the first one, and overlong UTF-8.
func plainPath(p string) bool {
	decoded, err := url.PathUnescape(p)
	if err != nil || strings.HasPrefix(decoded, "//") || !utf8.ValidString(decoded) {
		return false
	}
	for i := range len(decoded) {
		if c := decoded[i]; c < ' ' || c == 0x7f || c == '\\' {
			return false
		}
	}
	for segment := range strings.SplitSeq(decoded, "/") {
		segment, _, _ = strings.Cut(segment, ";") // path parameters: `..;` is a dot segment to some
		if segment == "." || segment == ".." {
			return false
		}
	}
	return true
}

// reaches reports whether p leads to one of our own endpoints, however often it is decoded and in
// whatever case: a return URL could log people out, or send them round in circles.
func (s *Site) reaches(p string) bool {
	base := strings.ToLower(s.o.BasePath)
	for {
		clean := strings.ToLower(path.Clean(p))
		if Below(clean, base) || strings.HasPrefix(clean, base+";") {
			return true
		}
		decoded, err := url.PathUnescape(p)
		if err != nil || decoded == p {
			return false
		}
		p = decoded
	}
}

// Hidden reports whether a character has no business in a text that people or logs are shown:
// control characters, and format characters, among them those that reverse the direction of reading
// (U+202E and its like).
func Hidden(r rune) bool {
	return unicode.In(r, unicode.Cc, unicode.Cf, unicode.Co, unicode.Cs, unicode.Zl, unicode.Zp) || r == utf8.RuneError
}
