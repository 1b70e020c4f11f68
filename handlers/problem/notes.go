package problem

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"log/slog"
	"sync"
)

type requestIDKey struct{}

// WithRequestID returns a context that knows its request's id.
func WithRequestID(ctx context.Context, id string) context.Context {
	return context.WithValue(ctx, requestIDKey{}, id)
}

// RequestID returns the id of ctx's request, "" outside of one.
func RequestID(ctx context.Context) string {
	id, _ := ctx.Value(requestIDKey{}).(string)
	return id
}

// NewRequestID returns a fresh id.
func NewRequestID() string {
	b := make([]byte, 12)
	rand.Read(b) // never fails (crypto/rand, Go 1.24)
	return base64.RawURLEncoding.EncodeToString(b)
}

type notesKey struct{}

// Notes are what goes into a request's one log line beyond the request itself. Handlers add to them
// through Annotate; whoever made them reads them when the request is done.
type Notes struct {
	mu  sync.Mutex // guards err
	err error
}

// WithNotes returns a context that carries fresh notes.
func WithNotes(ctx context.Context) (context.Context, *Notes) {
	n := &Notes{}
	return context.WithValue(ctx, notesKey{}, n), n
}

// Annotate notes what went wrong; the last one counts. Outside of a request it does nothing.
func Annotate(ctx context.Context, err error) {
	if n, ok := ctx.Value(notesKey{}).(*Notes); ok {
		n.mu.Lock()
		defer n.mu.Unlock()
		n.err = err
	}
}

// Attrs are the notes as log attributes.
func (n *Notes) Attrs() []slog.Attr {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.err == nil {
		return nil
	}
	return []slog.Attr{slog.String("code", string(From(n.err).Code)), slog.String("error", n.err.Error())}
}
