// Package outbound makes the connections to providers, APIs and whatever else this service calls,
// and finds out when one of them is dead.
//
// A connection dies without a word when its packets are dropped: a firewall forgets it, a machine
// loses its power, an address moves. TCP alone retransmits for a quarter of an hour before it gives
// up. Every connection made here is found dead within DeadAfter, whether it is quiet or has sent
// something; an end that acknowledges and only takes its time is left alone. The package knows
// nothing of who calls whom. Its weak point: what has sent something is watched on Linux alone, and a
// peer that is dead behind a middlebox which goes on acknowledging is found over HTTP/2 alone.
package outbound

import (
	"context"
	"net"
	"net/http"
	"time"
)

// DeadAfter is how long a connection may be dead before it is closed here.
const DeadAfter = 10 * time.Second

const (
	dialTimeout      = 5 * time.Second
	handshakeTimeout = 5 * time.Second
	// IdleTimeout is how long a connection that nobody uses is kept by default: less than the 5 s after
	// which Node's servers hang up. A POST that meets a connection just closed fails, because nobody can
	// tell whether it was processed.
	IdleTimeout = 4 * time.Second

	// A quiet connection is dead after 8 s: 2 s, and three probes that nobody answers.
	probeIdle     = 2 * time.Second
	probeInterval = 2 * time.Second
	probeCount    = 3

	// An HTTP/2 connection is dead after 8 s, too. The longer part is for the answer: servers with a
	// single thread answer no ping while it is busy.
	pingAfter   = 3 * time.Second
	pingTimeout = 5 * time.Second
)

// DialContext connects like net.Dialer's does, within 5 s. It is safe for concurrent use.
//
// TCP_USER_TIMEOUT is not set. It would be simpler, but it also ends a connection to a peer that is
// alive and has shut its window for that long, such as an API that reads a slow upload in turns; and
// once it is set, Linux ends a quiet connection by it alone and no longer counts the probes. Longer
// than a caller may stall (a minute), it would leave dead connections for that minute. What it is for,
// data that nobody acknowledges, watch looks for instead.
func DialContext(ctx context.Context, network, address string) (net.Conn, error) {
	dialer := net.Dialer{
		Timeout:         dialTimeout,
		KeepAliveConfig: net.KeepAliveConfig{Enable: true, Idle: probeIdle, Interval: probeInterval, Count: probeCount},
	}
	conn, err := dialer.DialContext(ctx, network, address)
	if err != nil {
		return nil, err
	}
	watch(conn)
	return conn, nil
}

// NewTransport is an http.Transport over such connections. It is the caller's to change before its
// first use.
func NewTransport() *http.Transport {
	return &http.Transport{
		DialContext:         DialContext,
		TLSHandshakeTimeout: handshakeTimeout,
		ForceAttemptHTTP2:   true,
		IdleConnTimeout:     IdleTimeout,
		HTTP2:               &http.HTTP2Config{SendPingTimeout: pingAfter, PingTimeout: pingTimeout},
	}
}
