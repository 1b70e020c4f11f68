package site

import (
	"net/http"
	"net/netip"
	"net/url"
	"strings"
)

// KnownHost reports whether a request is for this service's authority (RFC 9112 §3.2, RFC 9110
// §7.4). A name that an attacker rebound to this address must not reach the app's cookies.
// Addresses are known, for probes; no name can be rebound to one. Trusted proxies that ask under
// names of their own say in X-Forwarded-Host or Forwarded which one the browser asked for.
func (s *Site) KnownHost(r *http.Request) bool {
	got := hostname(r.Host)
	if got != s.hostname {
		if given := s.Forwarded(r).Host; given != "" {
			got = hostname(given)
		}
	}
	_, err := netip.ParseAddr(strings.Trim(got, "[]"))
	return got == s.hostname || err == nil || IsLoopback(s.hostname) && IsLoopback(got)
}

// ByHTTP reports whether trusted proxies say that the browser asked without encryption where the
// public address is https. Fetch Metadata goes to https alone (and to loopback), so a browser that
// sends it is there, whatever a proxy says.
func (s *Site) ByHTTP(r *http.Request) bool {
	return s.Secure() && r.Header.Get("Sec-Fetch-Mode") == "" && strings.EqualFold(s.Forwarded(r).Proto, "http")
}

// ByOtherName reports whether the browser knows this service by another host name, whose cookies
// the public address does not get. The Host header does not say: many proxies put their own in its
// place. What a page links to on its own origin bears that origin in the Referer.
func (s *Site) ByOtherName(r *http.Request) bool {
	if r.Header.Get("Sec-Fetch-Site") != "same-origin" {
		return false
	}
	at, err := url.Parse(r.Referer())
	if err != nil || at.Host == "" {
		return false
	}
	return !strings.EqualFold(at.Hostname(), s.o.PublicURL.Hostname()) // cookies don't know of ports
}

// hostname is the name of an authority, lower case, without its port.
func hostname(authority string) string {
	u := url.URL{Host: authority}
	return strings.ToLower(strings.TrimSuffix(u.Hostname(), "."))
}

// IsLoopback reports whether a host, an address without brackets or a name in any case, can be none
// but this machine: localhost and what ends in .localhost (RFC 6761 §6.3), 127.0.0.0/8, or ::1.
func IsLoopback(host string) bool {
	host = strings.ToLower(host)
	if host == "localhost" || strings.HasSuffix(host, ".localhost") {
		return true
	}
	addr, err := netip.ParseAddr(host)
	return err == nil && addr.Unmap().IsLoopback()
}
