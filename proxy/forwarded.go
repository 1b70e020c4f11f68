package proxy

import (
	"net/http"
	"net/netip"
	"strings"
)

// setForwarded tells the upstream who called and how. What an untrusted caller said of that was
// removed before; what trusted proxies said is carried on (PX10).
func (p *Proxy) setForwarded(h http.Header, in *http.Request) {
	scheme, host, _ := strings.Cut(p.o.Site.Origin(), "://")
	h.Set("X-Forwarded-Proto", scheme)
	h.Set("X-Forwarded-Host", host)
	peer, err := netip.ParseAddrPort(in.RemoteAddr)
	if err != nil {
		return
	}
	chain := peer.Addr().Unmap().String()
	if before := p.o.Site.Forwarded(in).For; before != "" {
		chain = before + ", " + chain
	}
	h.Set("X-Forwarded-For", chain)
}
