package proxy

import (
	"context"
	"errors"
	"io"
	"net/http"
	"time"
)

// withoutCancel returns req with a context that is still usable to answer it. Over HTTP/1.1
// net/http takes the failed read after a cut for a lost client and cancels the context.
func (r *statusRecorder) withoutCancel(req *http.Request) *http.Request {
	if r.cut.Load() {
		return req.WithContext(context.WithoutCancel(req.Context()))
	}
	return req
}

// stopReading makes reads of the client's body fail once ctx is done. The transport reads the body
// in its own goroutine and waits for that, so otherwise it would wait for a client that sends
// nothing. The caller must call release before the handler returns, because the writer can't be
// used after that.
func (r *statusRecorder) stopReading(ctx context.Context) (release func()) {
	stopped := make(chan struct{})
	stop := context.AfterFunc(ctx, func() {
		defer close(stopped)
		r.cut.Store(true)
		// It fails only if the stream is closed.
		_ = http.NewResponseController(r).SetReadDeadline(time.Unix(1, 0))
	})
	return func() {
		if !stop() {
			<-stopped
		}
	}
}

// The statuses of a gRPC stream that this service ends.
const (
	grpcUnavailable     = "14" // the client may retry
	grpcUnauthenticated = "16"
)

// grpcEnd ends a gRPC stream that this service cuts: it sets a gRPC status in the trailer and
// returns io.EOF. For any other response it returns err.
func (t *trailerCleaner) grpcEnd(err error) error {
	var over *streamEnd
	if !isGRPC(t.res.Header) || !errors.As(context.Cause(t.res.Request.Context()), &over) {
		return err
	}
	status := grpcUnavailable
	if over.code == closeSessionEnded {
		status = grpcUnauthenticated
	}
	t.res.Trailer = http.Header{"Grpc-Status": {status}, "Grpc-Message": {over.reason}}
	return io.EOF
}
