package proxy

import (
	"bufio"
	"context"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"
)

// closingTime is how long a browser has to answer a close frame before its connection is cut.
const closingTime = 2 * time.Second

// A statusRecorder records the final status of a response, and the connection of a tunnel.
type statusRecorder struct {
	http.ResponseWriter
	status int
	cut    atomic.Bool // reads of the request body fail

	mu     sync.Mutex // guards tunnel
	tunnel net.Conn
}

// WriteHeader implements http.ResponseWriter.
func (r *statusRecorder) WriteHeader(status int) {
	if status >= http.StatusOK || status == http.StatusSwitchingProtocols {
		r.status = status
	}
	r.ResponseWriter.WriteHeader(status)
}

// Unwrap returns the original writer, for http.ResponseController.
func (r *statusRecorder) Unwrap() http.ResponseWriter { return r.ResponseWriter }

// Hijack implements http.Hijacker.
func (r *statusRecorder) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	conn, rw, err := http.NewResponseController(r.ResponseWriter).Hijack()
	r.mu.Lock()
	defer r.mu.Unlock()
	r.tunnel = conn
	return conn, rw, err
}

// cutAfter closes a tunnel closingTime after ctx is done, so that a browser can't keep it open by
// not answering the close frame.
func (r *statusRecorder) cutAfter(ctx context.Context) (stop func() bool) {
	return context.AfterFunc(ctx, func() {
		time.AfterFunc(closingTime, func() {
			r.mu.Lock()
			defer r.mu.Unlock()
			if r.tunnel != nil {
				_ = r.tunnel.Close() // it may be closed already
			}
		})
	})
}
