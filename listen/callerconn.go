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

// lingerTime is how long the unread rest of a request is read and discarded before its connection
// is closed. If unread bytes are left at the close, the kernel sends a reset, and the client may
// lose the response.
const lingerTime = time.Second

// errStalled means that the client read nothing of the response for too long.
var errStalled = errors.New("the caller read nothing for server.response_stall_timeout")

// A stallListener accepts connections as callerConns.
type stallListener struct {
	net.Listener
	limits *Limits
}

// Accept implements net.Listener.
func (l stallListener) Accept() (net.Conn, error) {
	conn, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return &callerConn{Conn: conn, limits: l.limits}, nil
}

// A callerConn is a client's connection. Write closes it if the client reads nothing for too long.
// A client reads if Write makes progress, or if TCP acknowledges more bytes: the kernel accepts
// bytes to write only in large steps. This covers responses over HTTP/1, tunnels, and HTTP/2
// connections as a whole. Single HTTP/2 streams have their own windows; see exchange.
type callerConn struct {
	net.Conn
	limits   *Limits
	deadline atomic.Pointer[time.Time] // of SetWriteDeadline
	closing  sync.Once

	mu     sync.Mutex // guards unread and the read deadline
	unread bool       // a part of a request may be left that no handler will read
}

// SetWriteDeadline implements net.Conn.
func (c *callerConn) SetWriteDeadline(t time.Time) error {
	c.deadline.Store(&t)
	return c.Conn.SetWriteDeadline(t)
}

// SetReadDeadline implements net.Conn. After leaveUnread it does nothing, because net/http removes
// the deadline after it has interrupted a read.
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
	lastProgress, acknowledged := now, uint64(0)
	for {
		until, over := c.nextCheck(now)
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
		if acked := acknowledgedBytes(c.Conn); m > 0 || acked > acknowledged {
			lastProgress, acknowledged = now, acked
		}
		if now.Sub(lastProgress) >= c.limits.forResponse() {
			c.limits.stalled.WithLabelValues("response").Inc()
			return n, errors.Join(errStalled, c.Conn.Close())
		}
	}
}

// nextCheck returns the time at which Write checks for progress. The result over is true if the
// deadline of SetWriteDeadline has passed.
func (c *callerConn) nextCheck(now time.Time) (until time.Time, over bool) {
	until = now.Add(min(c.limits.forResponse()/8, checkInterval))
	asked := c.deadline.Load()
	if asked == nil || asked.IsZero() || asked.After(until) {
		return until, false
	}
	return *asked, !asked.After(now)
}

// CloseWrite closes the writing side alone, for net/http and tunnels.
func (c *callerConn) CloseWrite() error {
	if half, ok := c.Conn.(interface{ CloseWrite() error }); ok {
		return half.CloseWrite()
	}
	return nil
}

// leaveUnread makes reads of the rest of a request fail at once, also those of net/http, and makes
// Close discard it. The response must have the header `Connection: close`.
func (c *callerConn) leaveUnread() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.unread = true
	_ = c.Conn.SetReadDeadline(time.Unix(1, 0)) // fails only if the connection is closed
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
	defer c.Conn.Close() // nobody waits for its error
	if c.CloseWrite() == nil && c.Conn.SetReadDeadline(time.Now().Add(lingerTime)) == nil {
		_, _ = io.Copy(io.Discard, c.Conn) // ends with any error
	}
}

type connKey struct{}

// ConnContext is for http.Server.ConnContext.
func ConnContext(ctx context.Context, conn net.Conn) context.Context {
	return context.WithValue(ctx, connKey{}, conn)
}
