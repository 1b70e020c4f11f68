// Package site owns the public address of the service and what depends on it: the origin, the base
// path of the service's own endpoints, the names and attributes of its cookies, the URLs to which a
// login may return, the trusted proxies and their headers, and the checks against cross-site
// request forgery.
//
// It reads the headers of requests and writes no responses. It knows no sessions, no routes, no
// configuration file, and only the ids of providers. Its weak point: if a proxy in
// server.trusted_proxies passes on the client's own X-Forwarded-* headers, the client is believed.
package site

import (
	"fmt"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strings"

	"github.com/cloakroom/cloakroom/setting"
)

// Options configure a Site. PublicURL is required.
type Options struct {
	// PublicURL is the origin that browsers see: scheme and host, in lower case, without a default
	// port.
	PublicURL *url.URL
	// BasePath is the path of the service's own endpoints. It begins with a slash and does not end
	// with one; "" means /bff.
	BasePath string
	// CookieName is the name of the session cookie without the prefix that is added on https; ""
	// means cloakroom.
	CookieName string
	// SameSite is that of the session cookie: strict or lax; 0 means strict.
	SameSite http.SameSite
	// AllowedOrigins are further origins whose pages may call the service, and to which a login may
	// return: scheme://host[:port], as browsers send them.
	AllowedOrigins []string
	// TrustedProxies are the networks of the proxies whose headers are trusted.
	TrustedProxies []netip.Prefix
}

// A Site is the public address of one service. It never changes and is safe for concurrent use.
type Site struct {
	o        Options
	origin   string
	cookie   string // the session cookie's name, with its prefix
	folded   string // cookie in lower case
	hostname string // of the public address, in the form of the function hostname
}

// Defaults returns the default Options, without a PublicURL.
func Defaults() Options {
	return Options{BasePath: "/bff", CookieName: "cloakroom", SameSite: http.SameSiteStrictMode}
}

// New returns the Site of o. Zero fields of o have their defaults. The error lists all faults of o.
func New(o Options) (*Site, error) {
	fresh := Defaults()
	setting.Fill(o.all(), fresh.all())
	err := setting.Verify(o.all(), fresh.all(), func(c setting.Check) { o.Check(c, c) })
	if err != nil {
		return nil, fmt.Errorf("set up the public address: %w", err)
	}
	s := &Site{
		o: o, origin: o.PublicURL.String(), cookie: o.CookieName, hostname: hostname(o.PublicURL.Host),
	}
	if s.Secure() {
		s.cookie = hostPrefix + o.CookieName
	}
	s.folded = strings.ToLower(s.cookie)
	return s, nil
}

func (o *Options) all() setting.Block {
	return slices.Concat(o.Settings(), o.CookieSettings(), o.CORSSettings())
}

// Origin returns the origin that browsers see, in the form in which they send it (RFC 6454 §6.2):
// in lower case, without a default port.
func (s *Site) Origin() string { return s.origin }

// Secure reports whether the public address is https. Cookies then have Secure and a name prefix.
func (s *Site) Secure() bool { return s.o.PublicURL.Scheme == "https" }
