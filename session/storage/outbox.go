package storage

import (
	"context"
	"time"
)

// A Revocation is an item of the outbox: what is left to revoke of an ended session. Sealed is the
// record as it was at the end, sealed under Origin as its name.
type Revocation struct {
	ID        string // unique; chosen by the store for records it moved, equal to Origin there
	Origin    string // the name Sealed was sealed under
	Provider  string
	Reason    string // why the session ended
	Sealed    []byte
	EndedAt   time.Time
	NotBefore time.Time // next attempt; leases push it ahead
	Attempts  int
	LastError string // why the last attempt failed, already free of secrets; empty at first
	Head      []byte // keys.HeadOf(Sealed), where Sealed is left out
}

// An Outbox keeps what is to be revoked until that is done.
type Outbox interface {
	// Enqueue adds to the outbox something that no record holds (the tokens of a renewal that lost
	// to a logout). Adding an ID again changes nothing.
	Enqueue(ctx context.Context, r Revocation) error
	// Lease hands out at most limit items due at now and makes each due again only after lease.
	Lease(ctx context.Context, now time.Time, lease time.Duration, limit int) ([]Revocation, error)
	// Retry puts an item off until notBefore and notes the attempt.
	Retry(ctx context.Context, id string, notBefore time.Time, lastError string) error
	// Done removes an item. Removing one that is gone is no error.
	Done(ctx context.Context, id string) error
	// Revocations returns up to limit items, oldest first, without Sealed, with Head, and how many there are.
	Revocations(ctx context.Context, limit int) ([]Revocation, int, error)
}
