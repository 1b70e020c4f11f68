package proxy

import (
	"net/http"
	"strings"
	"sync/atomic"
	"time"
)

// connections are those to one route's API.
type connections struct {
	standard *http.Transport
	// quiet is for gRPC alone, over connections that are not pinged: a gRPC server takes a ping for abuse
	// that comes more often than every five minutes and breaks the connection off with too_many_pings. A dead
	// one is found by TCP alone (package outbound).
	withoutPings *http.Transport
	http2        atomic.Bool // the API speaks HTTP/2
}

func newConnections(idle time.Duration) *connections {
	c := &connections{standard: newTransport(idle), withoutPings: newTransport(idle)}
	c.withoutPings.HTTP2 = nil
	return c
}

// RoundTrip implements http.RoundTripper.
func (c *connections) RoundTrip(r *http.Request) (*http.Response, error) {
	t := c.standard
	if isGRPC(r.Header) {
		t = c.withoutPings
	}
	res, err := t.RoundTrip(r)
	if err == nil && res.ProtoMajor == 2 && !c.http2.Load() {
		c.http2.Store(true)
	}
	return res, err
}

// isGRPC reports whether a message is gRPC's, whose status is in its trailers. gRPC-Web has its own in
// the body.
func isGRPC(h http.Header) bool {
	kind, _, _ := strings.Cut(h.Get("Content-Type"), ";")
	kind = strings.ToLower(strings.TrimSpace(kind))
	return kind == "application/grpc" || strings.HasPrefix(kind, "application/grpc+")
}
