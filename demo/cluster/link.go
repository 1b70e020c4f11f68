package cluster

import (
	"context"
	"errors"
	"io"
	"net"
	"sync"
	"time"
)

// A Link is the network between a replica and its store: it passes bytes on, and can be cut, as a cable is:
// nothing more arrives, and nobody is told.
type Link struct {
	listener net.Listener
	to       string

	mu     sync.Mutex    // guards what follows
	mended chan struct{} // closed while the link is whole
	open   map[net.Conn]struct{}
	closed bool
}

// NewLink listens on a free loopback port and leads to an address.
func NewLink(ctx context.Context, to string) (*Link, error) {
	var lc net.ListenConfig
	l, err := lc.Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	whole := make(chan struct{})
	close(whole)
	link := &Link{listener: l, to: to, mended: whole, open: map[net.Conn]struct{}{}}
	go link.accept()
	return link, nil
}

// Addr is where to dial instead of what the link leads to.
func (l *Link) Addr() string { return l.listener.Addr().String() }

// Cut lets nothing through until Mend, in either direction.
func (l *Link) Cut() {
	l.mu.Lock()
	defer l.mu.Unlock()
	select {
	case <-l.mended:
		l.mended = make(chan struct{})
	default:
	}
}

// Mend ends a Cut; what was held up arrives.
func (l *Link) Mend() {
	l.mu.Lock()
	defer l.mu.Unlock()
	select {
	case <-l.mended:
	default:
		close(l.mended)
	}
}

// Close ends all connections.
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
		go l.carry(c)
	}
}

// carry joins a connection to one of its own. What ends one ends the other, once the link is whole.
func (l *Link) carry(from net.Conn) {
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
	mended := l.mended
	l.mu.Unlock()
	<-mended
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
