// Package outbound opens the connections to providers, APIs and other servers that this service
// calls, and closes those that are dead.
//
// A connection is dead when its packets are dropped without an error: a firewall forgot it, the
// peer lost its power, an address moved. TCP alone retransmits for a quarter of an hour before it
// gives up. A connection made here is closed within DeadAfter, whether it is idle or has
// unacknowledged data. A peer that acknowledges but is slow to answer is not dead. The package does
// not know who calls whom.
//
// Its weak points: unacknowledged data is watched on Linux only. If a middlebox acknowledges for a
// dead peer, only HTTP/2 notices.
package outbound

import (
	"context"
	"net"
	"net/http"
	"time"
)

// DeadAfter is the longest time from the death of a connection until it is closed.
const DeadAfter = 10 * time.Second

const (
	dialTimeout      = 5 * time.Second
	handshakeTimeout = 5 * time.Second
	// IdleTimeout is how long an unused connection is kept by default. It is shorter than the 5 s
	// of Node's servers. A POST fails if the server closes its connection at the same moment,
	// because the client can't tell whether the server has processed it.
	IdleTimeout = 4 * time.Second

	// An idle connection is dead after 8 s: 2 s and three unanswered probes.
	probeIdle     = 2 * time.Second
	probeInterval = 2 * time.Second
	probeCount    = 3

	// An HTTP/2 connection is dead after 8 s, too. The timeout for the answer is the longer part,
	// because a server with a single thread does not answer pings while that is busy.
	pingAfter   = 3 * time.Second
	pingTimeout = 5 * time.Second
)

// DialContext is like [net.Dialer.DialContext] with a timeout of 5 s. It is safe for concurrent
// use.
//
// It does not set TCP_USER_TIMEOUT, the usual limit for unacknowledged data. That would also end
// the connection to a live peer whose receive window stays closed that long, such as an API that
// pauses while it reads an upload. Linux would also use it for idle connections, instead of the
// number of probes. A value above the longest pause of a caller (a minute) would keep dead
// connections for that minute. The function watch looks for unacknowledged data instead.
func DialContext(ctx context.Context, network, address string) (net.Conn, error) {
	dialer := net.Dialer{
		Timeout: dialTimeout,
		KeepAliveConfig: net.KeepAliveConfig{
			Enable: true, Idle: probeIdle, Interval: probeInterval, Count: probeCount,
		},
	}
	conn, err := dialer.DialContext(ctx, network, address)
	if err != nil {
		return nil, err
	}
	watch(conn)
	return conn, nil
}

// NewTransport returns an http.Transport that uses DialContext. The caller may change it before its
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
