// Package requestlog keeps in a request's context what is logged about the request: its id, which
// is part of all its log lines, and its error, which is part of the line that is written at its
// end. It does not know who writes that line.
package requestlog

import (
	"context"
	"crypto/rand"
)

type idKey struct{}

// WithID returns a copy of ctx with the id of a request. The server decides whether to use an id
// that the client has sent.
func WithID(ctx context.Context, id string) context.Context {
	return context.WithValue(ctx, idKey{}, id)
}

// ID returns the id of the request that ctx belongs to, or "" if it belongs to none.
func ID(ctx context.Context) string {
	id, _ := ctx.Value(idKey{}).(string)
	return id
}

// NewID returns a random id.
func NewID() string { return rand.Text() }
