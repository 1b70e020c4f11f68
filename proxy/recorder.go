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

// A statusRecorder notes the final status of an answer, and the connection that a tunnel takes over.
type statusRecorder struct {
	http.ResponseWriter
	status int
	cut    atomic.Bool // reads of the caller's body fail

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

// Unwrap lets http.ResponseController reach what is beneath.
func (r *statusRecorder) Unwrap() http.ResponseWriter { return r.ResponseWriter }

// Hijack implements http.Hijacker.
func (r *statusRecorder) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	conn, rw, err := http.NewResponseController(r.ResponseWriter).Hijack()
	r.mu.Lock()
	defer r.mu.Unlock()
	r.tunnel = conn
	return conn, rw, err
}

// cutAfter cuts a tunnel some time after ctx has ended, if it is still there: a browser that does not answer a
// close frame must not keep it open.
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
