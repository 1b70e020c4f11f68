//go:build !linux

package outbound

import "net"

// watch does nothing on this system, which ends the connection by its own limit of retransmissions.
func watch(net.Conn) {}
