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
	"fmt"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strings"

	"github.com/cloakroom/cloakroom/setting"
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
	folded   string // the same in lower case
	hostname string // of the public address, as KnownHost compares it
}

// Defaults are Options of which the operator has said nothing.
func Defaults() Options {
	return Options{BasePath: "/bff", CookieName: "cloakroom", SameSite: http.SameSiteStrictMode}
}

// New checks o and fills in what was left out.
func New(o Options) (*Site, error) {
	fresh := Defaults()
	setting.Fill(o.all(), fresh.all())
	err := setting.Verify(o.all(), fresh.all(), func(c setting.Check) { o.Check(c, c) })
	if err != nil {
		return nil, fmt.Errorf("set up the public address: %w", err)
	}
	s := &Site{o: o, origin: o.PublicURL.String(), cookie: o.CookieName, hostname: hostname(o.PublicURL.Host)}
	if s.Secure() {
		s.cookie = hostPrefix + o.CookieName
	}
	s.folded = strings.ToLower(s.cookie)
	return s, nil
}

func (o *Options) all() setting.Block {
	return slices.Concat(o.Settings(), o.CookieSettings(), o.CORSSettings())
}

// Origin is the one origin that browsers see, in the form that they serialize it (RFC 6454 §6.2):
// lower case, without a default port.
func (s *Site) Origin() string { return s.origin }

// Secure reports whether browsers come by https. Cookies then bear Secure and a name prefix.
func (s *Site) Secure() bool { return s.o.PublicURL.Scheme == "https" }
