package site

import (
	"fmt"
	"net/http"
	"net/netip"
	"net/url"
	"regexp"
	"strings"

	"golang.org/x/net/publicsuffix"

	"github.com/cloakroom/cloakroom/setting"
)

// Settings returns the keys of the public address.
func (o *Options) Settings() setting.Block {
	return setting.Block{
		{
			Name: "public_url", Value: setting.Parsed(&o.PublicURL, origin, setting.URLText),
			Doc: "The origin that browsers see: `https://`, the host and, if it is not 443, the " +
				"port; no path. `http://` is allowed only for this machine: `localhost` (and " +
				"names below it), 127.0.0.0/8 and `[::1]`; the cookie then has neither a prefix " +
				"nor `Secure`. Redirect URIs and comparisons of origins use this value, never a " +
				"request. Write international names in their `xn--` form",
			Default: "required",
			Example: []string{"https://app.example.com"},
		},
		{
			Name: "base_path", Value: setting.Matching(&o.BasePath, checkBasePath),
			Doc: "The path of cloakroom's own endpoints. It begins with `/` and does not end " +
				"with one, and has only letters, digits, `.`, `_`, `~` and `-`",
			Example: []string{"/bff"},
		},
		{
			Name: "trusted_proxies", Value: setting.ListOf(&o.TrustedProxies, "[10.0.0.0/8]", trusted),
			Doc: "The networks (`10.0.0.0/8`) or addresses of proxies whose `X-Forwarded-*`, " +
				"`Forwarded` and request ids are trusted; see [Behind several " +
				"proxies](#behind-several-proxies). From other peers these headers are ignored " +
				"and removed. Behind a proxy that is not listed here, all clients have the " +
				"proxy's address; then limits per client address are off, and the log says so once",
			Example: []string{"[10.0.0.0/8, \"fd00::/8\"]"},
		},
	}
}

func trusted(into *netip.Prefix) setting.Scalar {
	return setting.Parsed(into, network, netip.Prefix.String)
}

// CookieSettings returns the keys of the session cookie.
func (o *Options) CookieSettings() setting.Block {
	return setting.Block{
		{
			Name: "name", Value: setting.Matching(&o.CookieName, checkCookieName),
			Doc: "The name of the session cookie: at most 64 letters, digits, `-` and `_`. On " +
				"https it gets the prefix `__Host-Http-`. Two apps on one host (localhost with " +
				"two ports) need two names",
			Example: []string{"cloakroom"},
		},
		{
			Name: "same_site", Value: sameSite(&o.SameSite),
			Doc: "The `SameSite` attribute of the session cookie: `strict` or `lax`. With " +
				"`strict`, the first page after a link from another site is loaded without the " +
				"session. The cookies of login attempts are always lax",
			Example: []string{"strict"},
		},
	}
}

// CORSSettings returns the keys that allow pages of other origins to call the service.
func (o *Options) CORSSettings() setting.Block {
	return setting.Block{
		{
			Name: "allowed_origins",
			Value: setting.ListOf(&o.AllowedOrigins,
				"[https://spa.example.com]", setting.Each(checkAllowedOrigin)),
			Doc: "The origins, besides the public one, whose pages may call the API and the " +
				"endpoints below `base_path` with the session cookie, and to which a login may " +
				"return. Write them as `https://spa.example.com`; they are compared byte for " +
				"byte. They must be of the same site as the public origin, because browsers send " +
				"the cookie to no other. WebSockets are allowed only from the public origin",
			Example: []string{"[https://spa.example.com]"},
		},
	}
}

// origin accepts the public URL: https, or http on this machine (MD4).
func origin(s string) (*url.URL, *setting.Fault) {
	u, f := setting.ParseURL(s, "https://app.example.com")
	switch {
	case f != nil:
		return nil, f
	case u.Path != "" && u.Path != "/":
		return nil, setting.NewFault("has a path",
			"write scheme and host alone: the app is served at the root of its origin")
	case u.Scheme == "http" && !IsLoopback(u.Hostname()):
		return nil, setting.NewFault("is http, and its host is not this machine", "write https: on http, "+
			"anybody on the network path can take over the session. "+
			"Only localhost, 127.0.0.0/8 and [::1] may be http")
	}
	u.Path = ""
	return u, nil
}

var basePathForm = regexp.MustCompile(`^(/[A-Za-z0-9._~-]+)+$`)

func checkBasePath(s string) *setting.Fault {
	if !basePathForm.MatchString(s) || !setting.IsPlainPath(s) || len(s) > 200 {
		return setting.NewFault("is not a path of letters, digits, -, _ and ~",
			"write something like /bff, with a slash before it and none behind")
	}
	return nil
}

// network accepts a CIDR prefix or a single address.
func network(s string) (netip.Prefix, *setting.Fault) {
	if addr, err := netip.ParseAddr(s); err == nil && addr.Zone() == "" {
		addr = addr.Unmap()
		return netip.PrefixFrom(addr, addr.BitLen()), nil
	}
	p, err := netip.ParsePrefix(s)
	if err != nil || p.Addr().Is4In6() {
		return p, setting.NewFault("is neither a network nor an address",
			"write something like 10.0.0.0/8, 192.0.2.7 or fd00::/8; names are not looked up")
	}
	return p.Masked(), nil
}

func checkCookieName(s string) *setting.Fault {
	switch {
	case !setting.IsToken(s):
		what := fmt.Sprintf("is not made of letters, digits, - and _ alone, %d at most", setting.MaxName)
		return setting.NewFault(what, "write something like cloakroom (RFC 6265 §4.1.1)")
	case strings.HasPrefix(s, "__") || strings.HasPrefix(s, "$"):
		return setting.NewFault("begins with __ or $, which have a meaning for browsers and servers",
			"leave the prefix out: on https, __Host-Http- is put in front")
	}
	return nil
}

// sameSiteText returns "" for the default.
func sameSiteText(mode http.SameSite) string {
	switch mode {
	case 0, http.SameSiteDefaultMode:
		return ""
	case http.SameSiteStrictMode:
		return "strict"
	case http.SameSiteLaxMode:
		return "lax"
	case http.SameSiteNoneMode:
		return "none"
	}
	return "unknown"
}

func sameSite(into *http.SameSite) setting.Scalar {
	words := map[string]http.SameSite{"strict": http.SameSiteStrictMode, "lax": http.SameSiteLaxMode}
	s := setting.Parsed(into, func(s string) (http.SameSite, *setting.Fault) {
		if s == "none" {
			return 0, setting.NewFault("can't be none",
				"write strict or lax: with none, any site could make a browser use the session")
		}
		return words[s], setting.CheckOneOf(s, []string{"strict", "lax"})
	}, sameSiteText)
	s.Words = []string{"strict", "lax"}
	return s
}

// checkAllowedOrigin accepts an origin in the form that browsers send (RFC 6454 §6.2).
func checkAllowedOrigin(s string) *setting.Fault {
	u, f := setting.ParseURL(s, "https://spa.example.com")
	if f != nil {
		return f
	}
	if origin := u.Scheme + "://" + u.Host; s != origin {
		return setting.NewFault("is not written as browsers send an origin", "write "+origin)
	}
	return nil
}

// Check checks the public address, the trusted proxies and the allowed origins. The Check c is of
// the block server, cors of the block cors.
func (o *Options) Check(c, cors setting.Check) {
	c.Require("public_url", "add public_url: https://app.example.com, the origin that browsers see")
	for _, p := range o.TrustedProxies {
		if p.IsValid() && p.Bits() == 0 { // it contains every address
			c.Warn(fmt.Sprintf("server.trusted_proxies holds %s: "+
				"every caller can then claim any address; name your own proxies", p))
		}
	}
	if o.PublicURL != nil && c.GivenAndValid("public_url") {
		o.checkOrigins(cors)
	}
}

// checkOrigins refuses allowed origins of another site: browsers would not send the session cookie
// with the requests of their pages.
func (o *Options) checkOrigins(c setting.Check) {
	for i, origin := range o.AllowedOrigins {
		at := fmt.Sprintf("allowed_origins[%d]", i)
		u, err := url.Parse(origin)
		if err != nil || !c.GivenAndValid(at) {
			continue
		}
		switch {
		case origin == o.PublicURL.String():
			c.Report(at, "is the public origin itself", "take it out: its pages may call anyway")
		case u.Scheme != o.PublicURL.Scheme || !ofOneSite(u.Hostname(), o.PublicURL.Hostname()):
			c.Report(at, "is of another site than server.public_url", "serve the app under the same "+
				"registrable domain and scheme: browsers send the session cookie (SameSite) to no other")
		}
	}
}

// ofOneSite reports whether two hosts are of one site (HTML Living Standard §7.1.1.2).
func ofOneSite(a, b string) bool {
	if a == b {
		return true
	}
	siteA, errA := publicsuffix.EffectiveTLDPlusOne(a)
	siteB, errB := publicsuffix.EffectiveTLDPlusOne(b)
	return errA == nil && errB == nil && siteA == siteB
}
