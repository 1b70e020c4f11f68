package postgres

import (
	"context"
	"net"
	"time"

	"github.com/cloakroom/cloakroom/outbound"
)

// maxDeadline is how far away a deadline of a connection may be.
const maxDeadline = time.Second

// dial makes a connection that detects when its peer is gone. pgx also uses it for requests to
// cancel a query, which go to the same address as the query, whether or not the server still
// answers there.
func dial(ctx context.Context, network, address string) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, dialTime)
	defer cancel()
	conn, err := outbound.DialContext(ctx, network, address)
	if err != nil {
		return nil, err
	}
	return shortDeadlineConn{conn}, nil
}

// A shortDeadlineConn caps all deadlines at maxDeadline from now. pgx sets a deadline only when it
// gives a connection up: it allows 15 s to close it, and the connection keeps its place in the pool
// until then. If all connections of the pool are dead, no call could be answered for so long.
type shortDeadlineConn struct{ net.Conn }

// SetDeadline implements net.Conn.
func (c shortDeadlineConn) SetDeadline(t time.Time) error {
	if latest := time.Now().Add(maxDeadline); t.After(latest) {
		t = latest
	}
	return c.Conn.SetDeadline(t)
}
