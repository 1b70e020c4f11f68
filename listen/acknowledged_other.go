//go:build !linux

package listen

import "net"

// acknowledgedBytes is not known here: what Write gets rid of has to do.
func acknowledgedBytes(net.Conn) uint64 { return 0 }
