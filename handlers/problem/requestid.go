package problem

import (
	"context"
	"crypto/rand"
)

type requestIDKey struct{}

// WithRequestID is ctx with the id that answers and log lines of this request bear. Whether an id
// from outside is taken is the server's decision.
func WithRequestID(ctx context.Context, id string) context.Context {
	return context.WithValue(ctx, requestIDKey{}, id)
}

// RequestID is the id of the request that ctx belongs to; "" outside of one.
func RequestID(ctx context.Context) string {
	id, _ := ctx.Value(requestIDKey{}).(string)
	return id
}

// NewRequestID makes an id that is unique and tells nothing.
func NewRequestID() string { return rand.Text() }
