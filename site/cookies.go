package site

import (
	"net/http"
	"strings"
)

// hostPrefix is what the names of all our cookies begin with on https. Browsers let nobody but this
// very host, by https and by HTTP, set a cookie of such a name (RFC 6265bis §4.1.3); on http no
// prefix can be had.
const hostPrefix = "__Host-Http-"

// What the other cookies' names have behind the session cookie's.
const (
	attemptSuffix = "-attempt-"
	loginsSuffix  = "-logins"
)

// SessionCookie is the session cookie's name, with its prefix.
func (s *Site) SessionCookie() string { return s.cookie }

// AttemptCookie is the name of a login attempt's cookie. id tells the attempts of one browser apart;
// with "" it is what the names of all of them begin with.
func (s *Site) AttemptCookie(id string) string { return s.cookie + attemptSuffix + id }

// LoginsCookie is the name of the cookie that remembers when a browser logged in lately.
func (s *Site) LoginsCookie() string { return s.cookie + loginsSuffix }

// StrictCookie reports whether the session cookie is SameSite=Strict, and so does not come with the
// navigation that brings a user back from the provider.
func (s *Site) StrictCookie() bool { return s.o.SameSite == http.SameSiteStrictMode }

// NewCookie returns a cookie with the attributes that all our cookies have. A deletion must have
// those that the cookie was set with, or browsers ignore it (SC10). The session cookie has the
// SameSite of the configuration. The others are Lax: they must come along when the provider's site
// leads a browser back.
func (s *Site) NewCookie(name, value string) *http.Cookie {
	c := &http.Cookie{
		Name: name, Value: value, Path: "/", HttpOnly: true, Secure: s.Secure(), SameSite: http.SameSiteLaxMode,
	}
	if name == s.cookie {
		c.SameSite = s.o.SameSite
	}
	return c
}

// OwnCookie reports whether a cookie's name is one of this service's, or would be taken for one by a
// careless reader: other case, white space around it (SC7). No upstream may see such a cookie, nor
// set one.
func (s *Site) OwnCookie(name string) bool {
	rest, ok := strings.CutPrefix(strings.ToLower(strings.TrimSpace(name)), s.folded)
	return ok && (rest == "" || rest == loginsSuffix || strings.HasPrefix(rest, attemptSuffix))
}

// StripCookies takes our cookies out of the Cookie lines and leaves every other byte alone. It reads
// the lines as they stand: a parser would lose malformed neighbours, and net/http's gives up above
// its count limit and would pass ours on (SC8).
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
