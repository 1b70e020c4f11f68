package proxy

import (
	"net/http"
	"net/netip"
	"strings"

	"github.com/cloakroom/cloakroom/site"
)

// setForwarded tells the upstream who called and how. What an untrusted caller said of that was
// removed before; what trusted proxies said is carried on (PX10).
func (p *Proxy) setForwarded(h http.Header, in *http.Request) {
	scheme, host, _ := strings.Cut(p.Origin, "://")
	h.Set("X-Forwarded-Proto", scheme)
	h.Set("X-Forwarded-Host", host)
	peer, err := netip.ParseAddrPort(in.RemoteAddr)
	if err != nil {
		return
	}
	chain := peer.Addr().Unmap().String()
	if before := site.Forwarded(in, p.TrustedProxies).For; before != "" {
		chain = before + ", " + chain
	}
	h.Set("X-Forwarded-For", chain)
}

// ClientAddr is the address of the browser, behind trusted proxies; see site.Chain. The zero Addr
// when there is none.
func ClientAddr(r *http.Request, proxies []netip.Prefix) netip.Addr {
	return site.Forwarded(r, proxies).Client
}
