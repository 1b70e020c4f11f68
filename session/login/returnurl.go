package login

import (
	"net/url"
	"path"
	"strings"
)

// maxReturnURL is how long a return URL may be, in bytes: it travels in a cookie.
const maxReturnURL = 2000

// ValidReturnURL reports whether s is a path on this origin, judged as a browser reads a Location
// header (WHATWG URL): browsers strip tabs and newlines, take a backslash for a slash, and two
// slashes for another host. What is good is returned byte for byte as it was judged; nothing is decoded
// (LS12). Paths below basePath are refused, since navigating there does things (LS13).
func ValidReturnURL(s, basePath string) (string, bool) {
	if s == "" || len(s) > maxReturnURL || s[0] != '/' {
		return "", false
	}
	for i := range len(s) {
		if c := s[i]; c <= ' ' || c == '\\' || c >= 0x7f {
			return "", false
		}
	}
	u, err := url.Parse(s)
	if err != nil || u.Scheme != "" || u.Host != "" || u.User != nil || u.Opaque != "" {
		return "", false
	}
	raw, _, _ := strings.Cut(s, "#")
	raw, _, _ = strings.Cut(raw, "?")
	if hidesAnotherPath(raw) {
		return "", false
	}
	if below(u.Path, basePath) {
		return "", false
	}
	return s, true
}

// hidesAnotherPath reports whether a raw path means something else once a browser, a proxy or a
// router has tidied it up: a second slash at its start, or dot segments, plain or encoded.
func hidesAnotherPath(raw string) bool {
	if strings.HasPrefix(raw, "//") {
		return true
	}
	lower := strings.ToLower(raw)
	if strings.HasPrefix(lower, "/%2f") || strings.HasPrefix(lower, "/%5c") {
		return true
	}
	for segment := range strings.SplitSeq(strings.ReplaceAll(lower, "%2e", "."), "/") {
		if name, _, _ := strings.Cut(segment, ";"); name == "." || name == ".." {
			return true
		}
	}
	return false
}

// below reports whether a decoded path leads into basePath, however it is written.
func below(decoded, basePath string) bool {
	decoded = strings.ToLower(path.Clean("/" + strings.ReplaceAll(decoded, `\`, "/")))
	if again, err := url.PathUnescape(decoded); err == nil {
		decoded = strings.ToLower(path.Clean("/" + again))
	}
	basePath = strings.ToLower(basePath)
	return decoded == basePath || strings.HasPrefix(decoded, basePath+"/")
}
