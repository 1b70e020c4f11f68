package proxy

import (
	"context"
	"io"
	"mime"
	"net/http"
)

// An eventStream is the body of an API's event stream. It ends well when the service stops: it would not end by
// itself, and its browser connects anew by itself, to another replica (HTML Living Standard §9.2.3).
type eventStream struct {
	io.ReadCloser
	stopping context.Context
	forget   func() bool
}

// endWithService has a response end when the service stops, if it is an event stream.
func (p *Proxy) endWithService(res *http.Response) {
	kind, _, err := mime.ParseMediaType(res.Header.Get("Content-Type"))
	if err != nil || kind != "text/event-stream" || p.o.Stopping == nil {
		return
	}
	body := res.Body
	res.Body = &eventStream{body, p.o.Stopping, context.AfterFunc(p.o.Stopping, func() { _ = body.Close() })} // ends a read that waits
}

// Read implements io.Reader.
func (e *eventStream) Read(b []byte) (int, error) {
	n, err := e.ReadCloser.Read(b)
	if err != nil && e.stopping.Err() != nil {
		err = io.EOF
	}
	return n, err
}

// Close implements io.Closer.
func (e *eventStream) Close() error {
	e.forget()
	return e.ReadCloser.Close()
}
