package proxy

import (
	"net/http"
	"net/netip"
	"strings"
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
	if trusted(p.TrustedProxies, peer.Addr()) {
		if before := strings.Join(in.Header["X-Forwarded-For"], ", "); before != "" {
			chain = before + ", " + chain
		}
	}
	h.Set("X-Forwarded-For", chain)
}

// ClientAddr is the address of the browser: the rightmost of X-Forwarded-For that is no trusted
// proxy's, where the peer itself is one; otherwise the peer's. The zero Addr when there is none.
func ClientAddr(r *http.Request, proxies []netip.Prefix) netip.Addr {
	peer, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil {
		return netip.Addr{}
	}
	addr := peer.Addr().Unmap()
	hops := strings.Split(strings.Join(r.Header["X-Forwarded-For"], ","), ",")
	for i := len(hops) - 1; i >= 0 && trusted(proxies, addr); i-- {
		next, err := netip.ParseAddr(strings.TrimSpace(hops[i]))
		if err != nil {
			break
		}
		addr = next.Unmap()
	}
	return addr
}

func trusted(proxies []netip.Prefix, a netip.Addr) bool {
	a = a.Unmap()
	for _, p := range proxies {
		if p.Contains(a) {
			return true
		}
	}
	return false
}
