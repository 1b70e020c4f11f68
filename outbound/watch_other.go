//go:build !linux

package outbound

import "net"

// watch does nothing here: other systems' retransmission limits have to do.
func watch(net.Conn) {}
