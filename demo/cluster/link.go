package cluster

import (
	"context"
	"errors"
	"io"
	"net"
	"sync"
	"time"
)

// A Link is the network between a replica and its store. It forwards bytes, and can be cut like a
// cable: then nothing arrives any more, and neither side gets an error.
type Link struct {
	listener net.Listener
	to       string

	mu     sync.Mutex    // guards the fields below
	whole  chan struct{} // closed unless the link is cut
	open   map[net.Conn]struct{}
	closed bool
}

// NewLink returns a link from a free loopback port to an address.
func NewLink(ctx context.Context, to string) (*Link, error) {
	var lc net.ListenConfig
	l, err := lc.Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	whole := make(chan struct{})
	close(whole)
	link := &Link{listener: l, to: to, whole: whole, open: map[net.Conn]struct{}{}}
	go link.accept()
	return link, nil
}

// Addr is the address to dial instead of the store's.
func (l *Link) Addr() string { return l.listener.Addr().String() }

// Cut blocks both directions until Mend.
func (l *Link) Cut() {
	l.mu.Lock()
	defer l.mu.Unlock()
	select {
	case <-l.whole:
		l.whole = make(chan struct{})
	default:
	}
}

// Mend ends a Cut. Bytes that were held up arrive.
func (l *Link) Mend() {
	l.mu.Lock()
	defer l.mu.Unlock()
	select {
	case <-l.whole:
	default:
		close(l.whole)
	}
}

// Close closes the listener and all connections.
func (l *Link) Close() error {
	l.Mend()
	l.mu.Lock()
	defer l.mu.Unlock()
	l.closed = true
	for c := range l.open {
		_ = c.Close()
	}
	return l.listener.Close()
}

func (l *Link) accept() {
	for {
		c, err := l.listener.Accept()
		if err != nil {
			return
		}
		go l.forward(c)
	}
}

// forward connects from to the store. When one connection ends, so does the other, once the link is
// whole.
func (l *Link) forward(from net.Conn) {
	defer l.drop(from)
	l.wait()
	to, err := net.DialTimeout("tcp", l.to, time.Second)
	if err != nil {
		return
	}
	defer l.drop(to)
	if !l.keep(from, to) {
		return
	}
	var both sync.WaitGroup
	both.Go(func() { l.copy(to, from) })
	both.Go(func() { l.copy(from, to) })
	both.Wait()
}

func (l *Link) copy(to, from net.Conn) {
	buffer := make([]byte, 32<<10)
	for {
		n, err := from.Read(buffer)
		l.wait()
		if n > 0 {
			if _, err := to.Write(buffer[:n]); err != nil {
				break
			}
		}
		if err != nil {
			if !errors.Is(err, io.EOF) {
				break
			}
			if half, ok := to.(*net.TCPConn); ok {
				_ = half.CloseWrite()
			}
			return
		}
	}
	_ = to.Close()
	_ = from.Close()
}

// wait returns when the link is whole.
func (l *Link) wait() {
	l.mu.Lock()
	whole := l.whole
	l.mu.Unlock()
	<-whole
}

func (l *Link) keep(conns ...net.Conn) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, c := range conns {
		l.open[c] = struct{}{}
	}
	return !l.closed
}

func (l *Link) drop(c net.Conn) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.open, c)
	_ = c.Close()
}
