package proxy

import (
	"net/http"
	"strings"
	"sync/atomic"
	"time"
)

// connections are the connections to the API of one route.
type connections struct {
	standard *http.Transport
	// withoutPings is for gRPC. A gRPC server takes a ping more often than every five minutes for
	// abuse and closes the connection with too_many_pings. Only TCP finds that such a connection is
	// dead (package outbound).
	withoutPings *http.Transport
	http2        atomic.Bool // whether the API has answered over HTTP/2
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

// isGRPC reports whether a message is of gRPC, which has its status in the trailers. gRPC-Web is
// not meant: its status is in the body.
func isGRPC(h http.Header) bool {
	kind, _, _ := strings.Cut(h.Get("Content-Type"), ";")
	kind = strings.ToLower(strings.TrimSpace(kind))
	return kind == "application/grpc" || strings.HasPrefix(kind, "application/grpc+")
}
