package site

import (
	"net/netip"
	"strings"
)

// IsLoopback reports whether a host, an address without brackets or a name in any case, can be none
// but this machine: localhost and what ends in .localhost (RFC 6761 §6.3), 127.0.0.0/8, or ::1.
func IsLoopback(host string) bool {
	host = strings.ToLower(host)
	if host == "localhost" || strings.HasSuffix(host, ".localhost") {
		return true
	}
	addr, err := netip.ParseAddr(host)
	return err == nil && addr.Unmap().IsLoopback()
}
