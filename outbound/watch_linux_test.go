package outbound

import (
	"io"
	"net"
	"testing"
	"time"
)

// A peer that acknowledges is alive, and so is one to which nothing was sent. The time without an
// acknowledgement counts from the first check that found unacknowledged data.
func TestOnlyUnacknowledgedDataEndsAConnection(t *testing.T) {
	const s, h = time.Second, time.Hour
	type check struct {
		after   time.Duration // the check before
		unacked bool
		lastAck time.Duration
	}
	for name, c := range map[string]struct {
		checks []check
		want   bool
	}{
		"idle":                     {[]check{{0, false, h}, {60 * s, false, 2 * h}}, false},
		"sent after a long time":   {[]check{{0, true, h}, {s, true, h}}, false},
		"nothing comes back":       {[]check{{0, true, h}, {6 * s, true, h}, {s, true, h}}, true},
		"an acknowledgement comes": {[]check{{0, true, 0}, {6 * s, true, s}, {5 * s, true, 6 * s}}, false},
		"nothing comes after it":   {[]check{{0, true, 0}, {6 * s, true, s}, {7 * s, true, 8 * s}}, true},
		"all was acknowledged":     {[]check{{0, true, 0}, {6 * s, false, 0}, {s, true, 7 * s}}, false},
	} {
		w, now, dead := &watcher{}, time.Now(), false
		for _, l := range c.checks {
			now = now.Add(l.after)
			dead = w.dead(now, l.unacked, l.lastAck)
		}
		if dead != c.want {
			t.Errorf("%s: dead = %v, want %v", name, dead, c.want)
		}
	}
}

// A live peer that does not read closes its receive window. That does not end the connection.
func TestPeerWithAClosedWindowIsNotDead(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	accepted := make(chan net.Conn, 1)
	go func() {
		if c, err := l.Accept(); err == nil {
			accepted <- c
		}
	}()
	conn, err := DialContext(t.Context(), "tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	peer := <-accepted
	defer peer.Close()
	const size = 32 << 20 // more than both ends' buffers hold
	sent := make(chan error, 1)
	go func() {
		_, err := conn.Write(make([]byte, size))
		sent <- err
	}()
	select {
	case err := <-sent:
		t.Fatalf("the window did not close: %v", err)
	case <-time.After(unackedLimit + 3*watchInterval):
	}
	if n, err := io.CopyN(io.Discard, peer, size); err != nil {
		t.Errorf("read on after a pause: %d bytes of %d, %v", n, size, err)
	}
	if err := <-sent; err != nil {
		t.Errorf("the write ended with %v", err)
	}
}
