package storage

import (
	"context"
	"time"
)

// An Entry is a record as a store keeps it: sealed, with beside it only what the store must sort by.
type Entry struct {
	Name        string // the hash of a ticket
	Version     uint64 // 1 when created, one more at each Update
	Sealed      []byte
	Provider    string   // configured id of the provider
	Indices     []string // hashed keys this record is found by
	CreatedAt   time.Time
	ExpiresAt   time.Time // absolute
	IdleExpires time.Time // zero: none
	LastActive  time.Time
	// Head is keys.HeadOf(Sealed), given where Sealed is left out: it tells which key sealed the record.
	Head []byte
}

// Records keep sealed records. A session ends here, and only package session may end one.
//
// The store never opens a record: ending one moves the sealed record, as it is at that instant,
// into the outbox, so that the newest tokens are the ones revoked and nothing has to be read first.
type Records interface {
	// Create writes a new record at version 1. ErrExists when the name is taken, in the outbox too.
	Create(ctx context.Context, e Entry) error
	// Load returns the record, expired or not; its Indices may be left out. ErrNotFound when there is none.
	Load(ctx context.Context, name string) (Entry, error)
	// Update replaces Sealed, Indices and ExpiresAt if the record still is at e.Version, and makes
	// it e.Version+1. ErrConflict when it is at another, ErrNotFound when it is gone.
	Update(ctx context.Context, e Entry) error
	// Touch moves LastActive and IdleExpires forward, never back, leaving the version alone.
	// ErrNotFound when the record is gone. A crash of the store may take back the last second's touches.
	Touch(ctx context.Context, name string, lastActive, idleExpires time.Time) error
	// End removes the record and puts it into the outbox in one atomic step. ErrNotFound when there
	// is none, so exactly one of several callers hears nil.
	End(ctx context.Context, name, reason string, at time.Time) error
	// EndExpired ends, for the reason given, at most limit records whose absolute or idle expiry is
	// not after now, and returns their names.
	EndExpired(ctx context.Context, reason string, now time.Time, limit int) ([]string, error)
}

// A Finder finds records without their names.
type Finder interface {
	// Find returns the names indexed under key; some may be gone already.
	Find(ctx context.Context, key string) ([]string, error)
	// List returns up to limit entries with names greater than after, by name (byte order), without
	// Sealed and Indices, with Head.
	List(ctx context.Context, after string, limit int) ([]Entry, error)
	// Count returns how many records there are.
	Count(ctx context.Context) (int, error)
}
