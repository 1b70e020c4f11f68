package site

import (
	"net/http"
	"net/url"
	"strings"
)

// Path returns the path of one of our own endpoints, such as Path("/user"). Path("") is the base
// path.
func (s *Site) Path(endpoint string) string { return s.o.BasePath + endpoint }

// URL returns the absolute URL of one of our own endpoints; see Path.
func (s *Site) URL(endpoint string) string { return s.origin + s.Path(endpoint) }

// Owns reports whether a path, without any decoding, is the base path or below it.
func (s *Site) Owns(path string) bool { return Below(path, s.o.BasePath) }

// Below reports whether a path, without any decoding, is base or below it. It compares whole
// segments: /bffx is not below /bff. The base has no trailing slash.
func Below(path, base string) bool {
	rest, ok := strings.CutPrefix(path, base)
	return ok && (rest == "" || rest[0] == '/')
}

// Relative removes the public origin from a URL. It returns any other text unchanged.
func (s *Site) Relative(u string) string {
	if rest, ours := strings.CutPrefix(u, s.origin); ours && (rest == "" || rest[0] == '/') {
		return rest
	}
	return u
}

// LoginURL returns the path, with a query, that starts a login. The query may be nil.
func (s *Site) LoginURL(query url.Values) string {
	if query == nil {
		return s.Path("/login")
	}
	return s.Path("/login?") + query.Encode()
}

// LoginBackTo returns the LoginURL that leads back to returnURL, which it does not check.
func (s *Site) LoginBackTo(returnURL string) string {
	return s.LoginURL(url.Values{"returnUrl": {returnURL}})
}

// LoginFrom returns the LoginURL that leads back to the page in r's Referer, if a login may return
// to that page.
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

// SessionsPage returns the path of the page that shows users their sessions. Loading it changes
// nothing.
func (s *Site) SessionsPage() string { return s.Path("/sessions") }

// RedirectURI returns the URL to which a provider sends browsers after a login.
func (s *Site) RedirectURI(provider string) string { return s.URL("/callback/" + provider) }

// PostLogoutRedirectURI returns the URL to which a provider sends browsers after a logout.
func (s *Site) PostLogoutRedirectURI(provider string) string {
	return s.URL("/logout/callback/" + provider)
}

// BackchannelLogoutURI returns the URL to which a provider posts logout tokens.
func (s *Site) BackchannelLogoutURI(provider string) string { return s.URL("/backchannel/" + provider) }

// FrontchannelLogoutURI returns the URL that a provider loads in a frame to log its user out here.
func (s *Site) FrontchannelLogoutURI(provider string) string {
	return s.URL("/frontchannel/" + provider)
}

// JWKSURI returns the URL of the public keys with which this client signs.
func (s *Site) JWKSURI(provider string) string { return s.URL("/jwks/" + provider) }
