package site

import (
	"net/http"
	"net/url"
	"strings"
)

// Path is the path of one of our own endpoints, such as Path("/user"); Path("") is the base path.
func (s *Site) Path(endpoint string) string { return s.o.BasePath + endpoint }

// URL is Path as a whole URL.
func (s *Site) URL(endpoint string) string { return s.origin + s.Path(endpoint) }

// Owns reports whether a path is, as it is written, the base path or below it.
func (s *Site) Owns(path string) bool { return Below(path, s.o.BasePath) }

// Below reports whether a path is, as it is written, base or below it. A path ends where a segment
// does: /bffx is not below /bff. base has no slash at its end.
func Below(path, base string) bool {
	rest, ok := strings.CutPrefix(path, base)
	return ok && (rest == "" || rest[0] == '/')
}

// Relative is a URL of the public origin without that origin, and any other text as it is.
func (s *Site) Relative(u string) string {
	if rest, ours := strings.CutPrefix(u, s.origin); ours && (rest == "" || rest[0] == '/') {
		return rest
	}
	return u
}

// LoginURL is the path, with its query, at which a login begins that is asked for so much; nil asks
// for nothing.
func (s *Site) LoginURL(query url.Values) string {
	if query == nil {
		return s.Path("/login")
	}
	return s.Path("/login?") + query.Encode()
}

// LoginBackTo is the LoginURL that leads back to returnURL, which is not judged here.
func (s *Site) LoginBackTo(returnURL string) string {
	return s.LoginURL(url.Values{"returnUrl": {returnURL}})
}

// LoginFrom is the LoginURL that leads back to the page that r came from, if its Referer names one
// that a login may return to.
func (s *Site) LoginFrom(r *http.Request) string {
	page, _, _ := strings.Cut(r.Referer(), "#")
	if strings.HasPrefix(page, "/") { // no browser sends that
		return s.LoginURL(nil)
	}
	if page = s.Relative(page); page == "" {
		return s.LoginURL(nil)
	}
	returnURL, ok := s.ReturnURL(page)
	if !ok {
		return s.LoginURL(nil)
	}
	return s.LoginBackTo(returnURL)
}

// LogoutURL is the path, with its query, at which the session of that logout id is ended by a
// navigation.
func (s *Site) LogoutURL(logoutID string) string { return s.Path("/logout?sid=") + logoutID }

// SessionsPage is the path of the one page of ours that people go to themselves. Loading it changes
// nothing.
func (s *Site) SessionsPage() string { return s.Path("/sessions") }

// RedirectURI is where a provider sends browsers back to after a login.
func (s *Site) RedirectURI(provider string) string { return s.URL("/callback/" + provider) }

// PostLogoutRedirectURI is where a provider sends browsers back to after a logout.
func (s *Site) PostLogoutRedirectURI(provider string) string {
	return s.URL("/logout/callback/" + provider)
}

// BackchannelLogoutURI is where a provider posts its logout tokens.
func (s *Site) BackchannelLogoutURI(provider string) string { return s.URL("/backchannel/" + provider) }

// FrontchannelLogoutURI is what a provider puts in a frame to log its user out here.
func (s *Site) FrontchannelLogoutURI(provider string) string {
	return s.URL("/frontchannel/" + provider)
}

// JWKSURI is where a provider finds the public keys with which this client signs.
func (s *Site) JWKSURI(provider string) string { return s.URL("/jwks/" + provider) }
