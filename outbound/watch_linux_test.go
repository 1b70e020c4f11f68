package outbound

import (
	"io"
	"net"
	"testing"
	"time"
)

// A peer that acknowledges is alive, and so is one to which nothing was sent; silence counts from the
// moment in which it was first seen, not from the last acknowledgement before.
func TestOnlyDataThatNobodyAcknowledgesEndsAConnection(t *testing.T) {
	type look struct {
		after    time.Duration // of the look before
		underWay bool
		lastAck  time.Duration
	}
	for name, c := range map[string]struct {
		looks []look
		want  bool
	}{
		"quiet":                     {[]look{{0, false, time.Hour}, {time.Minute, false, 2 * time.Hour}}, false},
		"sent after a long silence": {[]look{{0, true, time.Hour}, {time.Second, true, time.Hour}}, false},
		"nothing comes back":        {[]look{{0, true, time.Hour}, {6 * time.Second, true, time.Hour}, {time.Second, true, time.Hour}}, true},
		"an acknowledgement comes":  {[]look{{0, true, 0}, {6 * time.Second, true, time.Second}, {5 * time.Second, true, 6 * time.Second}}, false},
		"silent again after it":     {[]look{{0, true, 0}, {6 * time.Second, true, time.Second}, {7 * time.Second, true, 8 * time.Second}}, true},
		"all was acknowledged":      {[]look{{0, true, 0}, {6 * time.Second, false, 0}, {time.Second, true, 7 * time.Second}}, false},
	} {
		w, now, dead := &watcher{}, time.Now(), false
		for _, l := range c.looks {
			now = now.Add(l.after)
			dead = w.dead(now, l.underWay, l.lastAck)
		}
		if dead != c.want {
			t.Errorf("%s: dead = %v, want %v", name, dead, c.want)
		}
	}
}

// A peer that is alive and reads nothing shuts its window. That ends nothing, however long it takes.
func TestPeerWithItsWindowShutIsNotDead(t *testing.T) {
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
		t.Fatalf("the window did not shut: %v", err)
	case <-time.After(unackedLimit + 3*watchInterval):
	}
	if n, err := io.CopyN(io.Discard, peer, size); err != nil {
		t.Errorf("read on after a pause: %d bytes of %d, %v", n, size, err)
	}
	if err := <-sent; err != nil {
		t.Errorf("the write ended with %v", err)
	}
}
