package listen

import (
	"net"
	"syscall"

	"golang.org/x/sys/unix"
)

// acknowledgedBytes is how much of what was written the other side has acknowledged (RFC 4898,
// tcpEStatsAppHCThruOctetsAcked); 0 where that is not known.
func acknowledgedBytes(conn net.Conn) (n uint64) {
	c, ok := conn.(syscall.Conn)
	if !ok {
		return 0
	}
	raw, err := c.SyscallConn()
	if err != nil {
		return 0
	}
	_ = raw.Control(func(fd uintptr) { // a connection that is closed has no news
		if info, err := unix.GetsockoptTCPInfo(int(fd), unix.IPPROTO_TCP, unix.TCP_INFO); err == nil {
			n = info.Bytes_acked
		}
	})
	return n
}
