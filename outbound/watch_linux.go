package outbound

import (
	"net"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

const (
	watchInterval = time.Second
	// unackedLimit is how long data may stay unacknowledged. By then Linux has retransmitted it
	// about five times.
	unackedLimit = 7 * time.Second
)

// watch closes a TCP connection once sent data has stayed unacknowledged for unackedLimit.
// Keep-alive probes don't notice that, because TCP sends none while data is unacknowledged (RFC
// 9293 §3.8.4).
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
	w.timer = time.AfterFunc(watchInterval, func() { <-armed; w.check(time.Now()) })
	close(armed)
}

// A watcher checks one connection until that is closed. Only its timer calls it.
type watcher struct {
	conn  *net.TCPConn
	raw   syscall.RawConn
	timer *time.Timer
	since time.Time // when unacknowledged data was first seen; zero if there is none
}

func (w *watcher) check(now time.Time) {
	var (
		info *unix.TCPInfo
		err  error
	)
	closed := w.raw.Control(func(fd uintptr) {
		info, err = unix.GetsockoptTCPInfo(int(fd), unix.IPPROTO_TCP, unix.TCP_INFO)
	})
	if closed != nil || err != nil {
		return
	}
	if w.dead(now, info.Unacked > 0, time.Duration(info.Last_ack_recv)*time.Millisecond) {
		_ = w.conn.SetLinger(0) // discard unsent data: the peer is gone
		_ = w.conn.Close()      // it may be closed already
		return
	}
	w.timer.Reset(watchInterval)
}

// dead reports whether every check for unackedLimit has found unacknowledged data, and no
// acknowledgement has arrived in that time; lastAck is the time since the last one. A peer with a
// closed receive window is not dead: it acknowledges all data and window probes.
func (w *watcher) dead(now time.Time, unacked bool, lastAck time.Duration) bool {
	if !unacked {
		w.since = time.Time{}
		return false
	}
	if w.since.IsZero() || now.Add(-lastAck).After(w.since) {
		w.since = now
	}
	return now.Sub(w.since) >= unackedLimit
}
