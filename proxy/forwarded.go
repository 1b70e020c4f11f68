package proxy

import (
	"net/http"
	"net/netip"
	"strings"
)

// setForwarded sets the X-Forwarded-* fields of an upstream request. Those of the client were
// removed before; addresses that trusted proxies have added are kept (PX10).
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
