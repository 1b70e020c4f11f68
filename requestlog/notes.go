package requestlog

import (
	"context"
	"log/slog"
	"strings"
	"sync"

	"github.com/cloakroom/cloakroom/problem"
)

// maxErrorText bounds an error in the log: some carry what another party sent.
const maxErrorText = 1000

// notes gather, while a request is answered, what its one log line will say of an error. They are
// safe for concurrent use.
type notes struct {
	mu   sync.Mutex // guards code and text
	code problem.Code
	text string
}

type notesKey struct{}

// WithNotes is ctx with room for notes, which Attrs reads when the request is done.
func WithNotes(ctx context.Context) context.Context {
	return context.WithValue(ctx, notesKey{}, new(notes))
}

// Annotate notes err for the log line of the request that ctx belongs to. The last one counts.
// Whoever writes the answer to an error does so; call it for an error that is answered with
// something else than an error.
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
		n.text = strings.ToValidUTF8(p.Err.Error()[:min(len(p.Err.Error()), maxErrorText)], "")
	}
}

// Attrs are the attributes for the log line of the request that ctx belongs to: code, and error
// where there is more to say; none when nothing went wrong.
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
