package site

import (
	"net/http"
	"net/netip"
	"net/url"
	"strings"
)

// KnownHost reports whether the host of a request is that of the public address (RFC 9112 §3.2, RFC
// 9110 §7.4). It protects against DNS rebinding: an attacker's name that resolves to this service.
// IP addresses are accepted, for health checks. If the Host is another one, a trusted proxy may
// name the browser's in X-Forwarded-Host or Forwarded.
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

// ByHTTP reports whether the browser used http although the public address is https, according to
// trusted proxies. Browsers send Fetch Metadata only to https (and loopback), so a request with it
// was by https, whatever a proxy says.
func (s *Site) ByHTTP(r *http.Request) bool {
	if !s.Secure() || r.Header.Get("Sec-Fetch-Mode") != "" {
		return false
	}
	return strings.EqualFold(s.Forwarded(r).Proto, "http")
}

// ByOtherName reports whether the browser used another host name than the public address, which
// does not get the cookies of that name. Many proxies replace the Host header, so it compares the
// Referer of a same-origin request.
func (s *Site) ByOtherName(r *http.Request) bool {
	if r.Header.Get("Sec-Fetch-Site") != "same-origin" {
		return false
	}
	at, err := url.Parse(r.Referer())
	if err != nil || at.Host == "" {
		return false
	}
	return !strings.EqualFold(at.Hostname(), s.o.PublicURL.Hostname()) // cookies ignore ports
}

// hostname returns the host of an authority in lower case.
func hostname(authority string) string {
	u := url.URL{Host: authority}
	return strings.ToLower(strings.TrimSuffix(u.Hostname(), "."))
}

// IsLoopback reports whether a host is always this machine: localhost and names below it (RFC 6761
// §6.3), 127.0.0.0/8, or ::1. The host is an address without brackets, or a name in any case.
func IsLoopback(host string) bool {
	host = strings.ToLower(host)
	if host == "localhost" || strings.HasSuffix(host, ".localhost") {
		return true
	}
	addr, err := netip.ParseAddr(host)
	return err == nil && addr.Unmap().IsLoopback()
}
