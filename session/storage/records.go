package storage

import (
	"context"
	"time"
)

// An Entry is a record as a store keeps it: sealed, together with what the store must sort or find
// it by.
type Entry struct {
	Name        string // the hash of a ticket
	Version     uint64 // 1 when created; each Update adds one
	Sealed      []byte
	Provider    string   // configured id of the provider
	Indices     []string // hashed keys that Find finds the record by
	CreatedAt   time.Time
	ExpiresAt   time.Time // absolute
	IdleExpires time.Time // zero: none
	LastActive  time.Time
	// Head is keys.HeadOf(Sealed), set where Sealed is left out. It tells which key sealed the
	// record.
	Head []byte
}

// Records keep sealed records. End and EndExpired end sessions; only package session may call them.
//
// The store never opens a record. To end one it moves the sealed record, in its present state, into
// the outbox: so the newest tokens are revoked, and nothing has to be read first.
type Records interface {
	// Create writes a new record at version 1. It returns ErrExists if the name is taken, by a
	// record or in the outbox.
	Create(ctx context.Context, e Entry) error
	// Load returns the record, expired or not; it may leave Indices out. It returns ErrNotFound if
	// there is none.
	Load(ctx context.Context, name string) (Entry, error)
	// Update replaces Sealed, Indices and ExpiresAt if the record is still at e.Version, and sets
	// the version to e.Version+1. It returns ErrConflict if the record is at another version, and
	// ErrNotFound if it is gone.
	Update(ctx context.Context, e Entry) error
	// Touch moves LastActive and IdleExpires forward, never back, and does not change the version.
	// It returns ErrNotFound if the record is gone. A crash of the store may undo the touches of
	// its last second.
	Touch(ctx context.Context, name string, lastActive, idleExpires time.Time) error
	// End removes the record and puts it into the outbox in one atomic step. It returns ErrNotFound
	// if there is none, so exactly one of several callers gets nil.
	End(ctx context.Context, name, reason string, at time.Time) error
	// EndExpired ends, for the given reason, at most limit records whose absolute or idle expiry is
	// not after now, and returns their names.
	EndExpired(ctx context.Context, reason string, now time.Time, limit int) ([]string, error)
}

// A Finder finds records without their names.
type Finder interface {
	// Find returns the names indexed under key. Some may be gone already.
	Find(ctx context.Context, key string) ([]string, error)
	// List returns up to limit entries whose names follow after, ordered by name (byte order), with
	// Head but without Sealed and Indices.
	List(ctx context.Context, after string, limit int) ([]Entry, error)
	// Count returns the number of records.
	Count(ctx context.Context) (int, error)
}
