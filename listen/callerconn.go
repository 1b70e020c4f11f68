package listen

import (
	"context"
	"errors"
	"io"
	"net"
	"os"
	"sync"
	"sync/atomic"
	"time"
)

// lingerTime is how long bytes of a request that nobody reads are taken off a connection before it
// is closed: a close with bytes unread makes the kernel send a reset, which may destroy the answer
// on its way.
const lingerTime = time.Second

// errStalled: the caller did not read.
var errStalled = errors.New("the caller read nothing for server.response_stall_timeout")

// patientListener hands out connections that don't wait for ever.
type patientListener struct {
	net.Listener
	patience *Patience
}

// Accept implements net.Listener.
func (l patientListener) Accept() (net.Conn, error) {
	conn, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return &callerConn{Conn: conn, patience: l.patience}, nil
}

// A callerConn is a caller's connection. It is closed when the caller takes none of the bytes that
// wait for it. What a caller takes is told by what Write gets rid of and, since the kernel reports
// that in large steps, by what the caller's side has acknowledged. This covers answers over HTTP/1,
// tunnels, and connections of HTTP/2 as a whole; single streams of HTTP/2 have windows of their
// own, see exchange.
type callerConn struct {
	net.Conn
	patience *Patience
	deadline atomic.Pointer[time.Time] // of SetWriteDeadline
	closing  sync.Once

	mu     sync.Mutex // guards unread, and the read deadline once it is set
	unread bool       // a part of a request may lie here that nobody will read
}

// SetWriteDeadline implements net.Conn.
func (c *callerConn) SetWriteDeadline(t time.Time) error {
	c.deadline.Store(&t)
	return c.Conn.SetWriteDeadline(t)
}

// SetReadDeadline implements net.Conn. After leaveUnread it does nothing: net/http takes a deadline
// back when it interrupts a read.
func (c *callerConn) SetReadDeadline(t time.Time) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.unread {
		return nil
	}
	return c.Conn.SetReadDeadline(t)
}

// SetDeadline implements net.Conn.
func (c *callerConn) SetDeadline(t time.Time) error {
	return errors.Join(c.SetReadDeadline(t), c.SetWriteDeadline(t))
}

// Write implements net.Conn.
func (c *callerConn) Write(b []byte) (n int, err error) {
	now := time.Now()
	progress, acknowledged := now, uint64(0) // when the caller was last seen to take something, and how much it had then
	for {
		until, over := c.nextLook(now)
		if over {
			return n, os.ErrDeadlineExceeded
		}
		if err := c.Conn.SetWriteDeadline(until); err != nil {
			return n, err
		}
		m, err := c.Conn.Write(b[n:])
		n += m
		if err == nil || !errors.Is(err, os.ErrDeadlineExceeded) {
			return n, err
		}
		now = time.Now()
		if took := acknowledgedBytes(c.Conn); m > 0 || took > acknowledged {
			progress, acknowledged = now, took
		}
		if now.Sub(progress) >= c.patience.forResponse() {
			c.patience.stalled.WithLabelValues("response").Inc()
			return n, errors.Join(errStalled, c.Conn.Close())
		}
	}
}

// nextLook is until when to write before looking at what was taken. It is over when the deadline
// that was asked for has passed.
func (c *callerConn) nextLook(now time.Time) (until time.Time, over bool) {
	until = now.Add(min(c.patience.forResponse()/8, lookTime))
	asked := c.deadline.Load()
	if asked == nil || asked.IsZero() || asked.After(until) {
		return until, false
	}
	return *asked, !asked.After(now)
}

// CloseWrite lets net/http and tunnels end their half alone.
func (c *callerConn) CloseWrite() error {
	if half, ok := c.Conn.(interface{ CloseWrite() error }); ok {
		return half.CloseWrite()
	}
	return nil
}

// leaveUnread has reads of the rest of a request fail at once, which ends net/http's own attempt to
// read it, and has Close take it off the connection. The answer must have said `Connection: close`.
func (c *callerConn) leaveUnread() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.unread = true
	_ = c.Conn.SetReadDeadline(time.Unix(1, 0)) // a connection that is gone has nothing to read either
}

// Close implements net.Conn.
func (c *callerConn) Close() error {
	c.mu.Lock()
	unread := c.unread
	c.mu.Unlock()
	if !unread {
		return c.Conn.Close()
	}
	c.closing.Do(func() { go c.linger() })
	return nil
}

func (c *callerConn) linger() {
	defer c.Conn.Close() // whoever asked has gone on
	if c.CloseWrite() == nil && c.Conn.SetReadDeadline(time.Now().Add(lingerTime)) == nil {
		_, _ = io.Copy(io.Discard, c.Conn) // whatever comes
	}
}

type connKey struct{}

// ConnContext is an http.Server's ConnContext.
func ConnContext(ctx context.Context, conn net.Conn) context.Context {
	return context.WithValue(ctx, connKey{}, conn)
}
