package proxy

import (
	"context"
	"encoding/binary"
	"errors"
	"io"
	"net/http"
)

// A webSocket is the connection to the upstream of a WebSocket. It passes bytes on unchanged and
// parses only the frame headers. When this service ends the stream, it adds a close frame with the
// reason, if the stream is between two frames.
type webSocket struct {
	io.ReadWriteCloser
	ctx context.Context // cancelled with a *streamEnd to end the stream

	frames  frameCounter
	closing []byte // the unread rest of the close frame
	ended   bool   // only closing is left to read
}

// newWebSocket returns the new body of a 101 response.
func newWebSocket(ctx context.Context, upstream io.ReadWriteCloser) *webSocket {
	return &webSocket{ReadWriteCloser: upstream, ctx: ctx}
}

// Read implements io.Reader. The ReverseProxy closes the upstream connection when the request's
// context is done, so that a waiting read returns.
func (w *webSocket) Read(p []byte) (int, error) {
	if w.ended {
		return w.readClosing(p)
	}
	n, err := w.ReadWriteCloser.Read(p)
	w.frames.count(p[:n])
	if err == nil {
		return n, nil
	}
	var over *streamEnd
	if !errors.As(context.Cause(w.ctx), &over) || !w.frames.between() {
		return n, err
	}
	w.ended, w.closing = true, closeFrame(over)
	if n > 0 {
		return n, nil
	}
	return w.readClosing(p)
}

func (w *webSocket) readClosing(p []byte) (int, error) {
	if len(w.closing) == 0 {
		return 0, io.EOF
	}
	n := copy(p, w.closing)
	w.closing = w.closing[n:]
	return n, nil
}

// closeFrame returns a close frame of a server, which is not masked (RFC 6455 §5.5.1).
func closeFrame(over *streamEnd) []byte {
	b := []byte{0x88, byte(2 + len(over.reason))}
	b = binary.BigEndian.AppendUint16(b, uint16(over.code))
	return append(b, over.reason...)
}

// A frameCounter follows the frames of one direction (RFC 6455 §5.2).
type frameCounter struct {
	head   []byte // the header of the present frame as far as it was read
	left   uint64 // unread bytes of the payload
	closed bool   // a close frame was seen; no frame may follow
}

// between reports whether a frame may be inserted here.
func (f *frameCounter) between() bool { return len(f.head) == 0 && f.left == 0 && !f.closed }

func (f *frameCounter) count(b []byte) {
	for len(b) > 0 {
		if f.left > 0 {
			n := min(f.left, uint64(len(b)))
			f.left -= n
			b = b[n:]
			continue
		}
		f.head = append(f.head, b[0])
		b = b[1:]
		f.begin()
	}
}

// begin starts the payload once the header is complete.
func (f *frameCounter) begin() {
	if len(f.head) < 2 {
		return
	}
	size, at := uint64(f.head[1]&0x7f), 2
	switch size {
	case 126:
		at += 2
	case 127:
		at += 8
	}
	whole := at
	if f.head[1]&0x80 != 0 {
		whole += 4 // the mask
	}
	if len(f.head) < whole {
		return
	}
	switch at {
	case 4:
		size = uint64(binary.BigEndian.Uint16(f.head[2:]))
	case 10:
		size = binary.BigEndian.Uint64(f.head[2:])
	}
	f.closed = f.closed || f.head[0]&0x0f == 0x8
	f.left, f.head = size, f.head[:0]
}

// switched replaces the body of a 101 response by a webSocket.
func switched(res *http.Response) {
	if upstream, ok := res.Body.(io.ReadWriteCloser); ok && res.StatusCode == http.StatusSwitchingProtocols {
		res.Body = newWebSocket(res.Request.Context(), upstream)
	}
}
