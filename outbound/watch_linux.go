package outbound

import (
	"net"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

const (
	watchInterval = time.Second
	// unackedLimit is how long data may wait for any acknowledgement. Linux has sent it again some five
	// times by then.
	unackedLimit = 7 * time.Second
)

// watch closes a TCP connection once data that was sent has had no acknowledgement for unackedLimit.
// Keep-alive probes don't find that: there are none while data is under way (RFC 9293 §3.8.4).
func watch(conn net.Conn) {
	tcp, ok := conn.(*net.TCPConn)
	if !ok {
		return
	}
	raw, err := tcp.SyscallConn()
	if err != nil {
		return
	}
	w := &watcher{conn: tcp, raw: raw}
	armed := make(chan struct{})
	w.timer = time.AfterFunc(watchInterval, func() { <-armed; w.look(time.Now()) })
	close(armed)
}

// A watcher looks at one connection until that is closed. Only its timer calls it.
type watcher struct {
	conn  *net.TCPConn
	raw   syscall.RawConn
	timer *time.Timer
	since time.Time // when data without an acknowledgement was first seen; zero: there is none
}

func (w *watcher) look(now time.Time) {
	var (
		info *unix.TCPInfo
		err  error
	)
	closed := w.raw.Control(func(fd uintptr) { info, err = unix.GetsockoptTCPInfo(int(fd), unix.IPPROTO_TCP, unix.TCP_INFO) })
	if closed != nil || err != nil {
		return
	}
	if w.dead(now, info.Unacked > 0, time.Duration(info.Last_ack_recv)*time.Millisecond) {
		_ = w.conn.SetLinger(0) // nobody is there to take what is left
		_ = w.conn.Close()      // it may be closed already
		return
	}
	w.timer.Reset(watchInterval)
}

// dead reports whether every look since unackedLimit has found data under way, and no acknowledgement
// of anything has come meanwhile. A peer that has shut its window acknowledges that it has, and leaves
// nothing under way.
func (w *watcher) dead(now time.Time, underWay bool, lastAck time.Duration) bool {
	if !underWay {
		w.since = time.Time{}
		return false
	}
	if w.since.IsZero() || now.Add(-lastAck).After(w.since) {
		w.since = now
	}
	return now.Sub(w.since) >= unackedLimit
}
