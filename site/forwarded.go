package site

import (
	"cmp"
	"net/http"
	"net/netip"
	"strings"
)

// A Chain describes the path of a request through trusted proxies. As in the headers, the proxy
// nearest to this service comes last.
//
// X-Forwarded-For determines the number of trusted hops: it is read from its end while the
// addresses are those of trusted proxies. From X-Forwarded-Host and X-Forwarded-Proto, the element
// of the outermost trusted hop is used; the client may have sent the elements before it. If a proxy
// replaces these fields instead of appending to them, there are fewer elements than hops, and the
// first one is used. Forwarded (RFC 7239) is used only without X-Forwarded-For, -Host and -Proto:
// most proxies set one kind and pass on the other one as the client sent it.
type Chain struct {
	// Client is the address of the client: the last one that is not a trusted proxy's. It is
	// invalid if the address of the peer is not known.
	Client netip.Addr
	// Host and Proto are those of the request to the outermost trusted proxy; "" if they are
	// unknown.
	Host, Proto string
	// For is the list of addresses in X-Forwarded-For, without that of the peer.
	For string
}

// Forwarded returns the Chain of r. If the peer is not a trusted proxy, it ignores all headers.
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
		trusted = 0 // unknown: the first element is used
	}
	c.Host = outermost(elements(h["X-Forwarded-Host"]), trusted)
	c.Proto = outermost(elements(h["X-Forwarded-Proto"]), trusted)
	return c
}

// read fills in c from the elements of Forwarded, starting at the last one.
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

// outermost returns the element of a list that the outermost trusted hop has added, given the
// number of hops. For 0 hops it returns the first element.
func outermost(list []string, hops int) string {
	switch {
	case len(list) == 0:
		return ""
	case hops == 0 || hops > len(list):
		return list[0]
	}
	return list[len(list)-hops]
}

// Trusts reports whether an address is that of a trusted proxy.
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

// elements returns the elements of a list, which may have several lines (RFC 9110 §5.3).
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

// parseNode parses an address with or without a port, and an IPv6 address with or without brackets
// (RFC 7239 §6). It refuses obfuscated identifiers ("unknown", "_secret").
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
