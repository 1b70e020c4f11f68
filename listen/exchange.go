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
	// wholePiece is how much of an answer is written to an HTTP/2 stream at a time; it is the size
	// of a frame.
	wholePiece = 16 << 10
	// smallPiece is the same for a caller that takes its time, so that slow is told from stalled.
	smallPiece = 4 << 10
	// atHand is how long, and restAtHand how much, of a request that was refused is read to keep
	// its connection: what the caller had sent already. The answer does not wait for more.
	atHand     = 2 * time.Millisecond
	restAtHand = 64 << 10
)

// Handler is the outermost handler: it bounds every wait for the caller. Over HTTP/1 an answer may
// begin before the body is there (net/http would wait for 256 KB of it first), and what nobody
// reads of a body is left.
func (p *Patience) Handler(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		hasBody := r.Body != nil && r.Body != http.NoBody
		if r.ProtoMajor == 1 && !hasBody {
			next.ServeHTTP(w, r) // callerConn does the rest
			return
		}
		x := p.newExchange(w, r)
		defer x.end()
		if hasBody { // in a copy: net/http goes by the body that it made
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

// An exchange is one request and its answer, as far as the caller may keep us waiting.
type exchange struct {
	http.ResponseWriter
	patience *Patience
	control  *http.ResponseController
	conn     *callerConn // of HTTP/1
	expects  bool        // the caller waits for 100 before it sends its body
	body     callerBody
	writing  watch // of HTTP/2
	piece    int
	begun    bool // the final status line is out
	wrote    bool

	gaveUp atomic.Bool        // on the body
	leave  context.CancelFunc // ends what contextOf returned; nil: nothing to end
}

func (p *Patience) newExchange(w http.ResponseWriter, r *http.Request) *exchange {
	x := &exchange{ResponseWriter: w, patience: p, control: http.NewResponseController(w), piece: wholePiece}
	x.body.exchange = x
	x.body.watch.limit, x.body.watch.cut = p.forRequest, x.giveUp
	x.writing.limit, x.writing.cut = p.forResponse, func() { _ = x.control.SetWriteDeadline(time.Unix(1, 0)) }
	if r.ProtoMajor == 1 {
		x.conn = r.Context().Value(connKey{}).(*callerConn) // httpServer puts it there
		x.expects = r.Header.Get("Expect") != ""
		_ = x.control.EnableFullDuplex() // net/http's own writer has it
	}
	return x
}

// contextOf is r's context, but for this: net/http ends that of HTTP/1 when any read of the
// connection fails, also one that failed since we gave up on the body. The caller is still there
// then, and gets an answer.
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
	x.leave = func() {
		stop()
		cancel()
	}
	return ctx
}

// giveUp has reads of the body end.
func (x *exchange) giveUp() {
	x.gaveUp.Store(true)
	if x.conn == nil {
		_ = x.control.SetReadDeadline(time.Unix(1, 0)) // a stream that is gone has nothing to read either
		return
	}
	x.conn.leaveUnread()
}

// Unwrap lets http.ResponseController reach what is beneath.
func (x *exchange) Unwrap() http.ResponseWriter { return x.ResponseWriter }

// WriteHeader implements http.ResponseWriter.
func (x *exchange) WriteHeader(status int) {
	if status >= http.StatusOK && !x.begun {
		x.begun = true
		x.begin()
	}
	x.ResponseWriter.WriteHeader(status)
}

// begin is called when the answer is. From here on its end is the exchange's: a request that is
// still open makes it a stream in both directions, whose pauses are the API's affair. A connection
// of HTTP/1 with a part of a request on it serves no other.
func (x *exchange) begin() {
	x.body.watch.stop()
	if x.conn != nil && !x.body.whole.Load() && !x.restIsAtHand() {
		x.Header().Set("Connection", "close")
	}
}

// restIsAtHand reads the body of a request that was refused unread, if it has come already.
func (x *exchange) restIsAtHand() bool {
	if x.expects || x.body.touched.Load() || x.control.SetReadDeadline(time.Now().Add(atHand)) != nil {
		return false
	}
	x.gaveUp.Store(true) // unless it comes
	_, err := io.CopyN(io.Discard, &x.body, restAtHand)
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
		m, err := x.ResponseWriter.Write(b[n:min(n+x.piece, len(b))])
		x.took(x.writing.end())
		if n += m; err != nil || n == len(b) {
			return n, err
		}
	}
}

// took chooses the size of the next piece.
func (x *exchange) took(t time.Duration) {
	x.piece = wholePiece
	if t > x.patience.response/16 {
		x.piece = smallPiece
	}
}

// FlushError is what http.ResponseController calls.
func (x *exchange) FlushError() error {
	if !x.begun {
		x.WriteHeader(http.StatusOK)
	}
	x.writing.begin()
	defer x.writing.end()
	return x.control.Flush()
}

// Flush implements http.Flusher.
func (x *exchange) Flush() { _ = x.FlushError() } // whoever wants to know of an error calls FlushError

// finish sends what is still in a buffer of HTTP/2: net/http would do it once the handler is done,
// when nobody watches.
func (x *exchange) finish() {
	if x.conn == nil && x.wrote {
		x.Flush()
	}
	if !x.begun && x.conn != nil && !x.body.whole.Load() {
		x.WriteHeader(http.StatusOK)
	}
}

// end stops the watches, and leaves what was not read.
func (x *exchange) end() {
	x.body.watch.stop()
	x.writing.stop()
	if x.writing.cutAlready() {
		x.patience.stalled.WithLabelValues("response").Inc()
	}
	if x.conn != nil && !x.body.whole.Load() {
		x.giveUp()
	}
	if x.leave != nil {
		x.leave()
	}
}

// A callerBody is a request's body, whose reads take no longer than a caller may keep us waiting.
type callerBody struct {
	io.ReadCloser
	exchange *exchange
	watch    watch
	touched  atomic.Bool // somebody has begun to read
	whole    atomic.Bool // it was read to its end, or there is none
}

// Read implements io.Reader. An error that the caller's silence leads to is a *problem.Problem.
func (b *callerBody) Read(p []byte) (int, error) {
	b.touched.Store(true)
	b.watch.begin()
	n, err := b.ReadCloser.Read(p)
	b.watch.end()
	if err == io.EOF {
		b.whole.Store(true)
	} else if err != nil && b.watch.cutAlready() {
		b.exchange.patience.stalled.WithLabelValues("request").Inc()
		err = problem.New(problem.RequestTimeout).CausedBy(err)
	}
	return n, err
}

// Close implements io.Closer. It does not wait for the rest, and ends a read that does: net/http
// has one lock for both.
func (b *callerBody) Close() error {
	if b.exchange.conn != nil && !b.whole.Load() {
		b.exchange.giveUp()
	}
	return b.ReadCloser.Close()
}
