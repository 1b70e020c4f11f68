package server

import (
	"log/slog"
	"net/http"
	"sync"

	"github.com/cloakroom/cloakroom/site"
)

// clients tell those apart who ask, for limits and turns per client address.
type clients struct {
	site *site.Site
	log  *slog.Logger

	warned sync.Once
}

// key is the network of whoever asks: the address, or of IPv6 what one household or machine has. It is "" for who
// can't be told from others: behind a proxy that is not in server.trusted_proxies all have the proxy's address, and
// a limit on that would be one on everybody.
func (c *clients) key(r *http.Request) string {
	peerIsProxy := c.site.TrustsPeer(r)
	if !peerIsProxy && isForwarded(r.Header) {
		c.warned.Do(func() {
			c.log.WarnContext(r.Context(), "requests are forwarded by a proxy that is not trusted, so clients can't be told apart: "+
				"limits per client address are off, and lists of sessions show the proxy's address; add the proxy's network to server.trusted_proxies", "peer", r.RemoteAddr)
		})
		return ""
	}
	addr := c.site.Forwarded(r).Client
	if !addr.IsValid() || peerIsProxy && c.site.Trusts(addr) { // it does not say whom it asks for
		return ""
	}
	bits := 64
	if addr.Is4() {
		bits = 32
	}
	network, err := addr.WithZone("").Prefix(bits)
	if err != nil {
		return ""
	}
	return network.String()
}

// isForwarded reports whether a proxy says for whom it asks, or somebody who poses as one.
func isForwarded(h http.Header) bool {
	for _, name := range []string{"X-Forwarded-For", "Forwarded", "X-Real-Ip"} {
		if len(h[name]) > 0 {
			return true
		}
	}
	return false
}
