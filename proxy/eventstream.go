package proxy

import (
	"context"
	"io"
	"mime"
	"net/http"
)

// An eventStream is the body of an API's event stream. It ends with io.EOF when the service stops,
// because it would never end by itself. The browser then reconnects, to another replica (HTML
// Living Standard §9.2.3).
type eventStream struct {
	io.ReadCloser
	stopping context.Context
	forget   func() bool
}

// endWithService makes an event stream end when the service stops. It leaves other responses alone.
func (p *Proxy) endWithService(res *http.Response) {
	kind, _, err := mime.ParseMediaType(res.Header.Get("Content-Type"))
	if err != nil || kind != "text/event-stream" || p.o.Stopping == nil {
		return
	}
	body := res.Body
	forget := context.AfterFunc(p.o.Stopping, func() { _ = body.Close() }) // ends a waiting read
	res.Body = &eventStream{body, p.o.Stopping, forget}
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
