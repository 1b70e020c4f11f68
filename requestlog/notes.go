package requestlog

import (
	"context"
	"log/slog"
	"strings"
	"sync"

	"github.com/cloakroom/cloakroom/problem"
)

// maxErrorText is the greatest length in bytes of an error in the log. Some errors quote what
// another party has sent.
const maxErrorText = 1000

// notes hold the error of a request for its log line. They are safe for concurrent use.
type notes struct {
	mu   sync.Mutex // guards code and text
	code problem.Code
	text string
}

type notesKey struct{}

// WithNotes returns a copy of ctx in which Annotate can store an error for Attrs.
func WithNotes(ctx context.Context) context.Context {
	return context.WithValue(ctx, notesKey{}, new(notes))
}

// Annotate records err for the log line of the request that ctx belongs to, in place of an earlier
// error. The code that answers a request with an error calls it. Call it yourself only for an error
// that is not returned, because the request is answered in another way.
func Annotate(ctx context.Context, err error) {
	n, ok := ctx.Value(notesKey{}).(*notes)
	if !ok || err == nil {
		return
	}
	p := problem.From(err)
	n.mu.Lock()
	defer n.mu.Unlock()
	n.code, n.text = p.Code, ""
	if p.Err != nil {
		text := p.Err.Error()
		n.text = strings.ToValidUTF8(text[:min(len(text), maxErrorText)], "")
	}
}

// Attrs returns the attributes for the log line of the request that ctx belongs to: the code of its
// error, and the error's text if there is one. It returns none if there was no error.
func Attrs(ctx context.Context) []slog.Attr {
	n, ok := ctx.Value(notesKey{}).(*notes)
	if !ok {
		return nil
	}
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
