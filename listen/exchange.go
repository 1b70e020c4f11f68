package listen

import (
	"context"
	"io"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/cloakroom/cloakroom/problem"
)

const (
	// largeChunk is how much of a response is written to an HTTP/2 stream at a time: one frame.
	largeChunk = 16 << 10
	// smallChunk is the same for a slow client, so that a slow one is not taken for a stalled one.
	smallChunk = 4 << 10
	// drainTime and drainSize limit how long and how much is read of the body of a refused request
	// to keep its connection usable: only what the client has sent already.
	drainTime = 2 * time.Millisecond
	drainSize = 64 << 10
)

// Handler returns the outermost handler, which limits every wait for the client. Over HTTP/1 a
// response may begin before the request body has arrived (net/http would read up to 256 KB of it
// first), and the unread rest of a body is not read.
func (l *Limits) Handler(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		hasBody := r.Body != nil && r.Body != http.NoBody
		if r.ProtoMajor == 1 && !hasBody {
			next.ServeHTTP(w, r) // callerConn is enough
			return
		}
		x := l.newExchange(w, r)
		defer x.end()
		if hasBody { // in a copy: net/http still needs its own Body
			r = r.WithContext(x.contextOf(r))
			x.body.ReadCloser = r.Body
			r.Body = &x.body
		} else {
			x.body.whole.Store(true)
		}
		next.ServeHTTP(x, r)
		x.finish()
	})
}

// An exchange limits the waits for the client during one request and its response.
type exchange struct {
	http.ResponseWriter
	limits  *Limits
	control *http.ResponseController
	conn    *callerConn // of HTTP/1; nil for HTTP/2
	expects bool        // the client waits for 100 before it sends the body
	body    callerBody
	writing watch // of HTTP/2
	chunk   int   // how much the next Write to HTTP/2 writes at a time
	begun   bool  // the final status line was written
	wrote   bool

	gaveUp atomic.Bool        // the body is not read any more
	cancel context.CancelFunc // of the context of contextOf; may be nil
}

func (l *Limits) newExchange(w http.ResponseWriter, r *http.Request) *exchange {
	x := &exchange{
		ResponseWriter: w, limits: l, control: http.NewResponseController(w), chunk: largeChunk,
	}
	x.body.exchange = x
	x.body.watch.limit, x.body.watch.expire = l.forRequest, x.giveUp
	x.writing.limit = l.forResponse
	x.writing.expire = func() { _ = x.control.SetWriteDeadline(time.Unix(1, 0)) }
	if r.ProtoMajor == 1 {
		x.conn = r.Context().Value(connKey{}).(*callerConn) // httpServer puts it there
		x.expects = r.Header.Get("Expect") != ""
		_ = x.control.EnableFullDuplex() // can't fail: the writer of net/http supports it
	}
	return x
}

// contextOf returns r's context with one difference. Over HTTP/1, net/http cancels the context when
// any read of the connection fails, including the one that giveUp makes fail. This context stays,
// because the client is still there and gets a response.
func (x *exchange) contextOf(r *http.Request) context.Context {
	if x.conn == nil {
		return r.Context()
	}
	ctx, cancel := context.WithCancel(context.WithoutCancel(r.Context()))
	stop := context.AfterFunc(r.Context(), func() {
		if !x.gaveUp.Load() {
			cancel()
		}
	})
	x.cancel = func() {
		stop()
		cancel()
	}
	return ctx
}

// giveUp makes reads of the body fail.
func (x *exchange) giveUp() {
	x.gaveUp.Store(true)
	if x.conn == nil {
		_ = x.control.SetReadDeadline(time.Unix(1, 0)) // fails only if the stream is closed
		return
	}
	x.conn.leaveUnread()
}

// Unwrap returns the original writer, for http.ResponseController.
func (x *exchange) Unwrap() http.ResponseWriter { return x.ResponseWriter }

// WriteHeader implements http.ResponseWriter.
func (x *exchange) WriteHeader(status int) {
	if status >= http.StatusOK && !x.begun {
		x.begun = true
		x.begin()
	}
	x.ResponseWriter.WriteHeader(status)
}

// begin is called before the final status line is written. The body is not watched any more: if it
// is still open, the exchange is a two-way stream, and the API decides how long it may pause. An
// HTTP/1 connection with an unread rest of a request can't be used again.
func (x *exchange) begin() {
	x.body.watch.stop()
	if x.conn != nil && !x.body.whole.Load() && !x.drain() {
		x.Header().Set("Connection", "close")
	}
}

// drain reads the body of a request that no handler has read, if the client has sent all of it
// already. It reports whether that worked.
func (x *exchange) drain() bool {
	if x.expects || x.body.touched.Load() {
		return false
	}
	if x.control.SetReadDeadline(time.Now().Add(drainTime)) != nil {
		return false
	}
	x.gaveUp.Store(true) // while the deadline can end a read
	_, err := io.CopyN(io.Discard, &x.body, drainSize)
	if err != io.EOF || x.control.SetReadDeadline(time.Time{}) != nil {
		return false
	}
	x.gaveUp.Store(false)
	return true
}

// Write implements http.ResponseWriter.
func (x *exchange) Write(b []byte) (n int, err error) {
	if !x.begun {
		x.WriteHeader(http.StatusOK)
	}
	x.wrote = true
	if x.conn != nil {
		return x.ResponseWriter.Write(b)
	}
	for {
		x.writing.begin()
		m, err := x.ResponseWriter.Write(b[n:min(n+x.chunk, len(b))])
		x.chunk = x.nextChunk(x.writing.end())
		if n += m; err != nil || n == len(b) {
			return n, err
		}
	}
}

// nextChunk returns the size of the next chunk, given how long it took to write the last one.
func (x *exchange) nextChunk(took time.Duration) int {
	if took > x.limits.response/16 {
		return smallChunk
	}
	return largeChunk
}

// FlushError flushes the response, for http.ResponseController.
func (x *exchange) FlushError() error {
	if !x.begun {
		x.WriteHeader(http.StatusOK)
	}
	x.writing.begin()
	defer x.writing.end()
	return x.control.Flush()
}

// Flush implements http.Flusher.
func (x *exchange) Flush() { _ = x.FlushError() } // http.Flusher has no error

// finish flushes the buffer of an HTTP/2 response. Otherwise net/http would do so after the handler
// has returned, when no watch limits it.
func (x *exchange) finish() {
	if x.conn == nil && x.wrote {
		x.Flush()
	}
	if !x.begun && x.conn != nil && !x.body.whole.Load() {
		x.WriteHeader(http.StatusOK)
	}
}

// end stops the watches and gives up an unread rest of the body.
func (x *exchange) end() {
	x.body.watch.stop()
	x.writing.stop()
	if x.writing.hasExpired() {
		x.limits.stalled.WithLabelValues("response").Inc()
	}
	if x.conn != nil && !x.body.whole.Load() {
		x.giveUp()
	}
	if x.cancel != nil {
		x.cancel()
	}
}

// A callerBody is a request body whose Read waits for the client only for a limited time.
type callerBody struct {
	io.ReadCloser
	exchange *exchange
	watch    watch
	touched  atomic.Bool // Read was called
	whole    atomic.Bool // the body was read to its end, or there is none
}

// Read implements io.Reader. If the client was silent for too long, the error is a
// *problem.Problem.
func (b *callerBody) Read(p []byte) (int, error) {
	b.touched.Store(true)
	b.watch.begin()
	n, err := b.ReadCloser.Read(p)
	b.watch.end()
	if err == io.EOF {
		b.whole.Store(true)
	} else if err != nil && b.watch.hasExpired() {
		b.exchange.limits.stalled.WithLabelValues("request").Inc()
		err = problem.New(problem.RequestTimeout).CausedBy(err)
	}
	return n, err
}

// Close implements io.Closer. It does not wait for the rest of the body, and ends a concurrent Read
// that does, because in net/http Close waits for Read.
func (b *callerBody) Close() error {
	if b.exchange.conn != nil && !b.whole.Load() {
		b.exchange.giveUp()
	}
	return b.ReadCloser.Close()
}
