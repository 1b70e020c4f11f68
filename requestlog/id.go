// Package requestlog carries, in a request's context, what the log says of the request: the id that all
// its lines bear, and notes on an error for the one line that is written when it is done. It does not
// know who writes that line, nor when.
package requestlog

import (
	"context"
	"crypto/rand"
)

type idKey struct{}

// WithID is ctx with the id that answers and log lines of this request bear. Whether an id
// from outside is taken is the server's decision.
func WithID(ctx context.Context, id string) context.Context {
	return context.WithValue(ctx, idKey{}, id)
}

// ID is the id of the request that ctx belongs to; "" outside of one.
func ID(ctx context.Context) string {
	id, _ := ctx.Value(idKey{}).(string)
	return id
}

// NewID makes an id that is unique and tells nothing.
func NewID() string { return rand.Text() }
