// Package site owns the service's public address and everything that is judged by it: the origin,
// the path below which the service's own endpoints are, the names and attributes of its cookies,
// where a login may return to, which proxies are trusted and what they say, and whether a request
// could be another site's forgery.
//
// It is handed requests and reads their headers. It writes no answer, and knows no session, no
// provider but by its id, no route and no configuration file. Its weak point is trust: a proxy in
// server.trusted_proxies that passes on a caller's own headers unchanged speaks with the caller's
// voice.
package site

import (
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
)

// Options are what a Site is made of. PublicURL is required.
type Options struct {
	// PublicURL is what browsers see: scheme and host alone, lower case, without a default port.
	PublicURL *url.URL
	// BasePath is the path of the service's own endpoints. It begins with a slash and does not end
	// with one; "" means /bff.
	BasePath string
	// CookieName is the session cookie's, without the prefix that https brings; "" means cloakroom.
	CookieName string
	// SameSite is the session cookie's: strict or lax; 0 means strict.
	SameSite http.SameSite
	// AllowedOrigins are further origins whose pages may call the service, and to which a login may
	// return: scheme://host[:port], as browsers send them.
	AllowedOrigins []string
	// TrustedProxies are the networks of the proxies that are believed.
	TrustedProxies []netip.Prefix
}

// A Site is the public address of one service. It is never changed, and safe for concurrent use.
type Site struct {
	o        Options
	origin   string
	cookie   string // the session cookie's name, with its prefix
	hostname string // of the public address, as KnownHost compares it
}

// New checks o and fills in what was left out.
func New(o Options) (*Site, error) {
	if o.BasePath == "" {
		o.BasePath = "/bff"
	}
	if o.CookieName == "" {
		o.CookieName = "cloakroom"
	}
	if o.SameSite == 0 || o.SameSite == http.SameSiteDefaultMode {
		o.SameSite = http.SameSiteStrictMode
	}
	if err := o.check(); err != nil {
		return nil, fmt.Errorf("set up the public address: %w", err)
	}
	s := &Site{o: o, origin: o.PublicURL.String(), cookie: o.CookieName, hostname: hostname(o.PublicURL.Host)}
	if s.Secure() {
		s.cookie = hostPrefix + o.CookieName
	}
	return s, nil
}

// check names the first thing that can't work.
func (o *Options) check() error {
	u := o.PublicURL
	switch {
	case u == nil || u.Scheme != "https" && u.Scheme != "http" || u.Host == "":
		return errors.New("the public URL is no http or https URL")
	case u.String() != u.Scheme+"://"+u.Host:
		return fmt.Errorf("the public URL %q is more than scheme and host", u.Redacted())
	case o.BasePath[0] != '/' || strings.HasSuffix(o.BasePath, "/"):
		return fmt.Errorf("the base path %q does not begin with a slash, or ends with one", o.BasePath)
	case o.SameSite != http.SameSiteStrictMode && o.SameSite != http.SameSiteLaxMode:
		return errors.New("the session cookie can't be SameSite=None") // any page could act with it (SC3)
	case (&http.Cookie{Name: o.CookieName}).Valid() != nil:
		return fmt.Errorf("%q can't be a cookie's name", o.CookieName)
	case strings.HasPrefix(strings.ToLower(o.CookieName), "__"):
		return fmt.Errorf("the cookie's name %q has a prefix, which browsers read a meaning into", o.CookieName)
	}
	return nil
}

// Origin is the one origin that browsers see, in the form that they serialize it (RFC 6454 §6.2):
// lower case, without a default port.
func (s *Site) Origin() string { return s.origin }

// Secure reports whether browsers come by https. Cookies then bear Secure and a name prefix.
func (s *Site) Secure() bool { return s.o.PublicURL.Scheme == "https" }
