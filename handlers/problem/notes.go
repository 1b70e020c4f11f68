package problem

import (
	"context"
	"log/slog"
	"strings"
	"sync"
)

// maxErrorText bounds an error in the log: some carry what another party sent.
const maxErrorText = 1000

// Notes gather, while a request is answered, what its one log line will say of an error. They are
// safe for concurrent use.
type Notes struct {
	mu   sync.Mutex // guards code and text
	code Code
	text string
}

type notesKey struct{}

// WithNotes is ctx with an empty holder of notes, which the middleware reads when the request is
// done.
func WithNotes(ctx context.Context) (context.Context, *Notes) {
	n := new(Notes)
	return context.WithValue(ctx, notesKey{}, n), n
}

// Annotate notes err for the log line of the request that ctx belongs to. The last one counts.
// Write does so by itself; call it for an error that is answered with something else than an error.
func Annotate(ctx context.Context, err error) {
	n, ok := ctx.Value(notesKey{}).(*Notes)
	if !ok || err == nil {
		return
	}
	p := From(err)
	n.mu.Lock()
	defer n.mu.Unlock()
	n.code, n.text = p.Code, ""
	if p.Err != nil {
		n.text = strings.ToValidUTF8(p.Err.Error()[:min(len(p.Err.Error()), maxErrorText)], "")
	}
}

// Attrs are the attributes for the log line: code, and error where there is more to say; none when
// nothing went wrong.
func (n *Notes) Attrs() []slog.Attr {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.code == "" {
		return nil
	}
	attrs := []slog.Attr{slog.String("code", string(n.code))}
	if n.text != "" {
		attrs = append(attrs, slog.String("error", n.text))
	}
	return attrs
}

// LogHandler adds the request id to every line that is logged with a request's context, whoever
// logs it: packages below know nothing of requests.
func LogHandler(next slog.Handler) slog.Handler { return logHandler{next} }

type logHandler struct{ next slog.Handler }

func (h logHandler) Enabled(ctx context.Context, level slog.Level) bool {
	return h.next.Enabled(ctx, level)
}

func (h logHandler) Handle(ctx context.Context, r slog.Record) error {
	id := RequestID(ctx)
	if id == "" || hasRequestID(r) {
		return h.next.Handle(ctx, r)
	}
	r = r.Clone()
	r.AddAttrs(slog.String("request_id", id))
	return h.next.Handle(ctx, r)
}

func (h logHandler) WithAttrs(attrs []slog.Attr) slog.Handler {
	return logHandler{h.next.WithAttrs(attrs)}
}

func (h logHandler) WithGroup(name string) slog.Handler { return logHandler{h.next.WithGroup(name)} }

func hasRequestID(r slog.Record) bool {
	found := false
	r.Attrs(func(a slog.Attr) bool {
		found = a.Key == "request_id"
		return !found
	})
	return found
}
