package site

import (
	"net/http"
	"strings"
)

// hostPrefix is the prefix of all our cookie names on https. Browsers accept a cookie with this
// prefix only in an https response of the host itself (RFC 6265bis §4.1.3). On http there is no
// such prefix.
const hostPrefix = "__Host-Http-"

// The suffixes of the other cookies' names. Each follows the name of the session cookie.
const (
	attemptSuffix = "-attempt-"
	loginsSuffix  = "-logins"
)

// SessionCookie returns the name of the session cookie, with its prefix.
func (s *Site) SessionCookie() string { return s.cookie }

// AttemptCookie returns the name of a login attempt's cookie, given the id of the attempt. With ""
// it returns the common prefix of the names of all attempt cookies.
func (s *Site) AttemptCookie(id string) string { return s.cookie + attemptSuffix + id }

// LoginsCookie returns the name of the cookie that holds the times of a browser's recent logins.
func (s *Site) LoginsCookie() string { return s.cookie + loginsSuffix }

// StrictCookie reports whether the session cookie is SameSite=Strict. Then the browser does not
// send it with the navigation that leads back from the provider.
func (s *Site) StrictCookie() bool { return s.o.SameSite == http.SameSiteStrictMode }

// NewCookie returns a cookie with the attributes of all our cookies. A cookie is deleted only by
// one with the same attributes (SC10). The session cookie has the configured SameSite. The others
// are Lax, because browsers must send them when they come back from the provider.
func (s *Site) NewCookie(name, value string) *http.Cookie {
	c := &http.Cookie{
		Name: name, Value: value, Path: "/",
		HttpOnly: true, Secure: s.Secure(), SameSite: http.SameSiteLaxMode,
	}
	if name == s.cookie {
		c.SameSite = s.o.SameSite
	}
	return c
}

// OwnCookie reports whether a cookie name is one of this service. It ignores case and surrounding
// white space, because some servers do (SC7). An upstream must neither see nor set such a cookie.
func (s *Site) OwnCookie(name string) bool {
	rest, ok := strings.CutPrefix(strings.ToLower(strings.TrimSpace(name)), s.folded)
	return ok && (rest == "" || rest == loginsSuffix || strings.HasPrefix(rest, attemptSuffix))
}

// StripCookies removes our cookies from the Cookie lines and leaves every other byte unchanged. It
// does not use the parser of net/http, which drops malformed cookies and stops at its limit of
// cookies, so that ours could remain (SC8).
func (s *Site) StripCookies(h http.Header) {
	lines := h["Cookie"]
	if len(lines) == 0 {
		return
	}
	kept := lines[:0:0]
	for _, line := range lines {
		if line = s.withoutOurs(line); strings.Trim(line, "; \t") != "" {
			kept = append(kept, line)
		}
	}
	if len(kept) == 0 {
		delete(h, "Cookie")
		return
	}
	h["Cookie"] = kept
}

func (s *Site) withoutOurs(line string) string {
	if !strings.Contains(strings.ToLower(line), strings.ToLower(s.o.CookieName)) {
		return line
	}
	parts := strings.Split(line, ";")
	kept := parts[:0:0]
	for _, part := range parts {
		name, _, _ := strings.Cut(part, "=")
		if !s.OwnCookie(name) {
			kept = append(kept, part)
		}
	}
	return strings.TrimLeft(strings.Join(kept, ";"), " ")
}
