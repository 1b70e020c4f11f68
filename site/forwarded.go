package site

import (
	"cmp"
	"net/http"
	"net/netip"
	"strings"
)

// A Chain is what trusted proxies say of the way that a request took. The proxies nearest to us come last, as
// they do in the headers.
//
// X-Forwarded-For tells how many hops are trusted: it is read from its end for as long as the address that it
// leads to is a trusted proxy's. Of X-Forwarded-Host and X-Forwarded-Proto the element counts that the
// outermost of these hops wrote; what stands further left may come from anybody. A proxy that replaces those
// fields, rather than adding to them, leaves fewer elements than hops; then the first counts. Forwarded (RFC
// 7239) is read where there is no X-Forwarded-For, -Host or -Proto: most proxies write one family and
// pass the other on as the caller sent it.
type Chain struct {
	// Client is the address of the browser, or of whoever asks: the last that is no trusted proxy's. It is not
	// valid where not even the peer's is known.
	Client netip.Addr
	// Host and Proto are what the outermost trusted proxy was asked for; "" where none says so.
	Host, Proto string
	// For are the addresses that trusted proxies name, the peer's not among them, as a list for X-Forwarded-For.
	For string
}

// Forwarded reads the chain of r. From a peer that is no trusted proxy nothing is believed.
func (s *Site) Forwarded(r *http.Request) Chain {
	peer, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil {
		return Chain{}
	}
	c := Chain{Client: peer.Addr().Unmap()}
	if !s.Trusts(c.Client) {
		return c
	}
	h := r.Header
	if len(h["X-Forwarded-For"])+len(h["X-Forwarded-Host"])+len(h["X-Forwarded-Proto"]) == 0 {
		c.read(parseForwarded(h["Forwarded"]), s)
		return c
	}
	c.For = strings.Join(h["X-Forwarded-For"], ", ")
	hops := elements(h["X-Forwarded-For"])
	trusted := 1 // the peer
	for i := len(hops) - 1; i >= 0; i-- {
		next, ok := parseNode(hops[i])
		if !ok {
			break
		}
		if c.Client = next; !s.Trusts(next) {
			break
		}
		trusted++
	}
	if len(hops) == 0 {
		trusted = 0 // not told: the list is the peer's own word
	}
	c.Host = outermost(elements(h["X-Forwarded-Host"]), trusted)
	c.Proto = outermost(elements(h["X-Forwarded-Proto"]), trusted)
	return c
}

// read takes over what the elements of Forwarded say, from the last one on.
func (c *Chain) read(elements []element, s *Site) {
	var names []string
	for i := len(elements) - 1; i >= 0 && s.Trusts(c.Client); i-- {
		c.Host = cmp.Or(elements[i].host, c.Host)
		c.Proto = cmp.Or(elements[i].proto, c.Proto)
		next, ok := parseNode(elements[i].node)
		if !ok {
			break
		}
		c.Client = next
		names = append([]string{next.String()}, names...)
	}
	c.For = strings.Join(names, ", ")
}

// outermost is the element of a list that the outermost of so many trusted hops wrote; 0 hops: the first.
func outermost(list []string, hops int) string {
	switch {
	case len(list) == 0:
		return ""
	case hops == 0 || hops > len(list):
		return list[0]
	}
	return list[len(list)-hops]
}

// Trusts reports whether an address is a trusted proxy's.
func (s *Site) Trusts(a netip.Addr) bool {
	a = a.Unmap()
	for _, p := range s.o.TrustedProxies {
		if p.Contains(a) {
			return true
		}
	}
	return false
}

// TrustsPeer reports whether r comes from a trusted proxy.
func (s *Site) TrustsPeer(r *http.Request) bool {
	peer, err := netip.ParseAddrPort(r.RemoteAddr)
	return err == nil && s.Trusts(peer.Addr())
}

// elements are those of a list, which may be spread over several lines (RFC 9110 §5.3).
func elements(lines []string) []string {
	var all []string
	for _, line := range lines {
		for element := range strings.SplitSeq(line, ",") {
			if element = strings.TrimSpace(element); element != "" {
				all = append(all, element)
			}
		}
	}
	return all
}

// parseNode reads an address with or without a port, and an IPv6 address with or without brackets (RFC 7239
// §6). Names that hide an address ("unknown", "_secret") are none.
func parseNode(s string) (netip.Addr, bool) {
	if withPort, err := netip.ParseAddrPort(s); err == nil {
		return withPort.Addr().Unmap().WithZone(""), true
	}
	if inner, bracketed := strings.CutPrefix(s, "["); bracketed {
		s, _ = strings.CutSuffix(inner, "]")
	}
	a, err := netip.ParseAddr(s)
	return a.Unmap().WithZone(""), err == nil
}
