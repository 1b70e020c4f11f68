package login

import (
	"net/url"
	"path"
	"strings"
	"unicode/utf8"
)

// maxReturnURL bounds a return URL as it is sent on. It travels in the attempt's cookie, encrypted
// and encoded twice, and that has to stay within maxCookie.
const maxReturnURL = 1800

// ValidReturnURL judges where a browser may be sent after a login or a logout: a path on this origin,
// with query and fragment if it likes, but none below basePath, except the page of one's sessions. It returns the form to send on, in
// which nothing is decoded and only what no URL may hold as it is gets percent-encoded; that form is
// the one that was judged. The empty string means "/".
//
// The judgement is that of the parser which will read the Location header, the browser's (WHATWG URL
// §4.4), not that of net/url: tabs and line breaks vanish there, a backslash is a slash, and what
// then begins with two slashes names another host (RFC 9700 §4.11.1, open redirectors).
//
// A URL of one of the further origins, which must be whole (scheme://host[:port]), is judged by what follows the
// origin: that must be empty or such a path, so that nothing can make another host of it.
func ValidReturnURL(s, basePath string, origins ...string) (string, bool) {
	if s == "" {
		return "/", true
	}
	for _, origin := range origins {
		rest, ours := strings.CutPrefix(s, origin)
		if !ours || rest != "" && rest[0] != '/' {
			continue
		}
		path, ok := ValidReturnURL(rest, basePath)
		return origin + path, ok
	}
	if len(s) > maxReturnURL || !utf8.ValidString(s) || !onlyVisible(s) {
		return "", false
	}
	if s[0] != '/' || strings.HasPrefix(s, "//") {
		return "", false
	}
	s = escape(s)
	if len(s) > maxReturnURL {
		return "", false
	}
	p := s
	if end := strings.IndexAny(s, "?#"); end >= 0 {
		p = s[:end]
	}
	if !plainPath(p) || below(p, basePath) && s != SessionsPage(basePath) {
		return "", false
	}
	return s, true
}

// SessionsPage is the one page below basePath that people go to themselves. Loading it changes nothing.
func SessionsPage(basePath string) string { return basePath + "/sessions" }

// onlyVisible refuses what browsers strip or turn into something else: control characters (tab, CR
// and LF vanish), backslashes, and the invisible and direction-changing characters of Unicode, which
// make a link look like another one.
func onlyVisible(s string) bool {
	for _, r := range s {
		if r == '\\' || r == ' ' && s[0] == ' ' || hidden(r) {
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

// below reports whether p leads to one of our own endpoints, however often it is decoded and in
// whatever case: a return URL could log people out, or send them round in circles.
func below(p, basePath string) bool {
	for {
		clean := strings.ToLower(path.Clean(p))
		base := strings.ToLower(basePath)
		if clean == base || strings.HasPrefix(clean, base+"/") || strings.HasPrefix(clean, base+";") {
			return true
		}
		decoded, err := url.PathUnescape(p)
		if err != nil || decoded == p {
			return false
		}
		p = decoded
	}
}
