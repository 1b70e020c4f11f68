package listen

import (
	"net"
	"syscall"

	"golang.org/x/sys/unix"
)

// acknowledgedBytes returns the number of bytes that the peer has acknowledged (RFC 4898,
// tcpEStatsAppHCThruOctetsAcked), or 0 if that is not known.
func acknowledgedBytes(conn net.Conn) (n uint64) {
	c, ok := conn.(syscall.Conn)
	if !ok {
		return 0
	}
	raw, err := c.SyscallConn()
	if err != nil {
		return 0
	}
	_ = raw.Control(func(fd uintptr) { // fails only if the connection is closed
		info, err := unix.GetsockoptTCPInfo(int(fd), unix.IPPROTO_TCP, unix.TCP_INFO)
		if err == nil {
			n = info.Bytes_acked
		}
	})
	return n
}
