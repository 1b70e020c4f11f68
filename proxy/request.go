package proxy

import (
	"net/http/httputil"
	"strings"

	"github.com/cloakroom/cloakroom/identity"
)

// reservedFields are removed from a client's request, in any spelling; here they are in canonical
// form. They are credentials, and fields that frameworks trust because a proxy sets them. Package
// identity lists the identity fields.
var reservedFields = set(
	"Authorization", "Proxy-Authorization", "Proxy-Authenticate", "Dpop", "X-Csrf",
	"Forwarded", "X-Real-Ip", "X-Client-Ip", "X-Cluster-Client-Ip", "True-Client-Ip",
	"Cf-Connecting-Ip", "Fastly-Client-Ip",
	"X-Original-Url", "X-Original-Uri", "X-Rewrite-Url", "X-Original-Host", "X-Host",
	"X-Http-Method-Override", "X-Http-Method", "X-Method-Override",
	"X-Request-Id", "Proxy", "X-Accel-Redirect", "X-Sendfile",
)

func set(names ...string) map[string]struct{} {
	m := make(map[string]struct{}, len(names))
	for _, n := range names {
		m[n] = struct{}{}
	}
	return m
}

// reserved reports whether only this service may set a field, in any spelling that some server
// reads as its name (PX8).
func reserved(name string) bool {
	name = identity.Canonical(name)
	if strings.HasPrefix(name, "X-Forwarded-") || identity.Is(name) {
		return true
	}
	_, ours := reservedFields[name]
	return ours
}

// rewrite makes the outgoing request. The ReverseProxy has already removed the hop-by-hop fields,
// including those that the client names in Connection (PX9).
func (p *Proxy) rewrite(rt *route, pr *httputil.ProxyRequest) {
	rt.setURL(pr.Out.URL, pr.In.URL.EscapedPath(), pr.In.URL.RawQuery)
	pr.Out.Host = rt.Upstream.Host
	h := pr.Out.Header
	for name := range h {
		if reserved(name) {
			delete(h, name)
		}
	}
	p.o.Site.StripCookies(h)
	p.setForwarded(h, pr.In)
	if c, ok := pr.In.Context().Value(callKey{}).(*call); ok {
		c.announceTrailers(pr)
		if !c.accessToken.IsZero() {
			h.Set("Authorization", "Bearer "+c.accessToken.Reveal())
		}
	}
	if h.Get("User-Agent") == "" {
		h.Set("User-Agent", "") // otherwise net/http would send its own
	}
}
