package site

import (
	"net/url"
	"path"
	"strings"
	"unicode"
	"unicode/utf8"
)

// MaxReturnURL is the greatest length of a return URL in bytes, in the form in which it is sent. It
// is part of a login attempt's cookie, encrypted and encoded twice, and browsers drop cookies of
// more than 4096 bytes (RFC 6265bis §5.6).
const MaxReturnURL = 1800

// ReturnURL checks a URL to which a browser may be sent after a login or logout. It accepts the
// paths that ReturnPath accepts, and URLs of an allowed origin. After the origin, such a URL must
// be empty or have such a path, so that the host can't be extended.
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

// ReturnPath checks a path on this origin, with an optional query and fragment. It refuses paths
// below the base path, except the page of the user's sessions. It returns the form to send, in
// which characters that a URL can't have are percent-encoded, and nothing is decoded. The check is
// of that form. The empty string means "/".
//
// The check follows the parser that will read the Location header, that of the browser (WHATWG URL
// §4.4), and not net/url. The browser removes tabs and line breaks and reads a backslash as a
// slash. A result that begins with two slashes names another host (RFC 9700 §4.11.1, open
// redirectors).
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

// onlyVisible reports whether s has no characters that browsers remove or replace: control
// characters, backslashes, and invisible or direction-changing characters, with which a link looks
// like another one.
func onlyVisible(s string) bool {
	for _, r := range s {
		if r == '\\' || r == ' ' && s[0] == ' ' || Hidden(r) {
			return false
		}
	}
	return true
}

// escape percent-encodes the bytes that no part of a URL may have (RFC 3986 §2), as browsers do.
// Existing escapes stay unchanged.
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

// plainPath reports whether a path has the same meaning when it is decoded or cleaned once more. It
// refuses dot segments in any spelling, which can leave two slashes at the start (`/..//host`),
// encoded control characters and backslashes, an encoded slash after the first slash, and overlong
// UTF-8.
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
		segment, _, _ = strings.Cut(segment, ";") // some servers read `..;` as a dot segment
		if segment == "." || segment == ".." {
			return false
		}
	}
	return true
}

// reaches reports whether p leads to one of our own endpoints, in any case and after any number of
// decodings. Such a return URL could log the user out, or cause a redirect loop.
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

// Hidden reports whether a character must not be in a text that users or logs show: control
// characters and format characters, such as those that change the writing direction (U+202E).
func Hidden(r rune) bool {
	return r == utf8.RuneError ||
		unicode.In(r, unicode.Cc, unicode.Cf, unicode.Co, unicode.Cs, unicode.Zl, unicode.Zp)
}
