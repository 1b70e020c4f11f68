package storage

import (
	"context"
	"time"
)

// A Revocation is an item of the outbox: tokens of an ended session that are still to be revoked.
// Sealed is the record as it was at the end, sealed under the name Origin.
type Revocation struct {
	ID        string // unique; equal to Origin for records that the store itself moved
	Origin    string // the name that Sealed was sealed under
	Provider  string
	Reason    string // why the session ended
	Sealed    []byte
	EndedAt   time.Time
	NotBefore time.Time // when the next attempt is due; a lease postpones it
	Attempts  int
	LastError string // why the last attempt failed, without secrets; empty at first
	Head      []byte // keys.HeadOf(Sealed), set where Sealed is left out
}

// An Outbox keeps items until their tokens are revoked.
type Outbox interface {
	// Enqueue adds an item that no record holds, such as the tokens of a renewal that lost to a
	// logout. Adding an ID again changes nothing.
	Enqueue(ctx context.Context, r Revocation) error
	// Lease returns at most limit items that are due at now, and postpones each by lease.
	Lease(ctx context.Context, now time.Time, lease time.Duration, limit int) ([]Revocation, error)
	// Retry postpones an item until notBefore, counts the attempt and stores its error.
	Retry(ctx context.Context, id string, notBefore time.Time, lastError string) error
	// Done removes an item. It is no error if there is none.
	Done(ctx context.Context, id string) error
	// Revocations returns up to limit items, oldest first, with Head but without Sealed, and the
	// total number of items.
	Revocations(ctx context.Context, limit int) ([]Revocation, int, error)
}
