package server

import (
	"log/slog"
	"net/http"
	"sync"

	"github.com/cloakroom/cloakroom/site"
)

// clients tells clients apart by their network, for limits and queues per client.
type clients struct {
	site *site.Site
	log  *slog.Logger

	warned sync.Once
}

// network returns the network of the client: its IPv4 address, or the /64 of its IPv6 address,
// which is one household or machine. It returns "" for a client that can't be told apart from
// others: behind a proxy that is not in server.trusted_proxies all clients have the proxy's
// address, and a limit per address would be a limit on all of them together.
func (c *clients) network(r *http.Request) string {
	peerIsProxy := c.site.TrustsPeer(r)
	if !peerIsProxy && isForwarded(r.Header) {
		c.warned.Do(func() {
			c.log.WarnContext(r.Context(), "requests are forwarded by a proxy that is not trusted, "+
				"so clients can't be told apart: limits per client address are off, and lists of sessions "+
				"show the proxy's address; add the proxy's network to server.trusted_proxies",
				"peer", r.RemoteAddr)
		})
		return ""
	}
	addr := c.site.Forwarded(r).Client
	if !addr.IsValid() || peerIsProxy && c.site.Trusts(addr) { // the proxy names no client
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

// isForwarded reports whether a request bears the fields of a proxy; a client can send them as
// well.
func isForwarded(h http.Header) bool {
	for _, name := range []string{"X-Forwarded-For", "Forwarded", "X-Real-Ip"} {
		if len(h[name]) > 0 {
			return true
		}
	}
	return false
}
