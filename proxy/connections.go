package proxy

import (
	"net/http"
	"strings"
	"time"
)

// connections are those to one route's API.
type connections struct {
	pinged *http.Transport
	// quiet is for gRPC alone, over connections that are not pinged: a gRPC server takes a ping for abuse
	// that comes more often than every five minutes and breaks the connection off with too_many_pings. A dead
	// one is found by TCP alone (package outbound).
	quiet *http.Transport
}

func newConnections(idle time.Duration) *connections {
	u := &connections{pinged: newTransport(idle), quiet: newTransport(idle)}
	u.quiet.HTTP2 = nil
	return u
}

// RoundTrip implements http.RoundTripper.
func (u *connections) RoundTrip(r *http.Request) (*http.Response, error) {
	if isGRPC(r.Header) {
		return u.quiet.RoundTrip(r)
	}
	return u.pinged.RoundTrip(r)
}

// isGRPC reports whether a message is gRPC's, whose status is in its trailers. gRPC-Web has its own in
// the body.
func isGRPC(h http.Header) bool {
	kind, _, _ := strings.Cut(h.Get("Content-Type"), ";")
	kind = strings.ToLower(strings.TrimSpace(kind))
	return kind == "application/grpc" || strings.HasPrefix(kind, "application/grpc+")
}
