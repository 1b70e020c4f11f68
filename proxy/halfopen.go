package proxy

import (
	"context"
	"errors"
	"io"
	"net/http"
	"time"
)

// answering is a request for the answer that says why it was cut. Over HTTP/1.1 net/http takes a failed read for a
// caller who is gone, and ends the request's context.
func (r *statusRecorder) withoutCancel(req *http.Request) *http.Request {
	if r.cut.Load() {
		return req.WithContext(context.WithoutCancel(req.Context()))
	}
	return req
}

// stopReading has reads of the caller's body fail once ctx ends. The transport reads it in a goroutine of its own,
// waits for that one before it gives up, and so would wait for a caller who sends nothing. The function returned must
// be called before the handler returns: nothing may touch the answer's writer after that.
func (r *statusRecorder) stopReading(ctx context.Context) (release func()) {
	stopped := make(chan struct{})
	stop := context.AfterFunc(ctx, func() {
		defer close(stopped)
		r.cut.Store(true)
		_ = http.NewResponseController(r).SetReadDeadline(time.Unix(1, 0)) // a stream that is gone has nothing to read either
	})
	return func() {
		if !stop() {
			<-stopped
		}
	}
}

// The statuses of a gRPC stream that this service ends.
const (
	grpcUnavailable     = "14" // come again
	grpcUnauthenticated = "16"
)

// grpcEnd is how a gRPC stream that was cut ends: with a status of its own in the trailer, as its callers understand
// it. It returns err for anything else.
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
