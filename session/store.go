package session

import (
	"context"
	"errors"
	"time"
)

// What a store says. Anything else it returns means that it can't be asked just now, which is never
// a reason to treat anyone as logged out.
var (
	// ErrNotFound: there is no such record; the only answer that means "logged out".
	ErrNotFound = errors.New("no such session")
	// ErrConflict: the record changed since the version that was read.
	ErrConflict = errors.New("session changed since it was read")
	// ErrExists: Create found the name taken.
	ErrExists = errors.New("session name is taken")
	// ErrUnconfirmed: End did it, but a fail-over of the store may undo it.
	ErrUnconfirmed = errors.New("ended, but a fail-over of the store may undo it")
	// ErrNotAsked: nothing was sent to the store, so nothing can have been done there. After any other
	// failure a write may or may not have been done, or may yet be: a server that froze does it when it wakes.
	ErrNotAsked = errors.New("session store was not asked")
)

// An Entry is a record as a store keeps it: sealed, with beside it only what the store must sort by.
type Entry struct {
	Name        Name
	Version     uint64 // 1 when created, one more at each Update
	Sealed      []byte
	Provider    string   // configured id of the provider
	Indices     []string // hashed keys this record is found by; see IndexKey
	CreatedAt   time.Time
	ExpiresAt   time.Time // absolute
	IdleExpires time.Time // zero: none
	LastActive  time.Time
	// Head is keys.HeadOf(Sealed), given where Sealed is left out: it tells which key sealed the record.
	Head []byte
}

// FrozenFactor is how many times its ttl a lease may last while its holder is frozen. A process whose machine lost its
// power looks frozen, too, until the store gives up its connection.
const FrozenFactor = 4

// A Revocation is an item of the outbox: what is left to revoke of an ended session. Sealed is the
// record as it was at the end, sealed under Origin as its name.
type Revocation struct {
	ID        string // unique; chosen by the store for records it moved, equal to Origin there
	Origin    Name   // the name Sealed was sealed under
	Provider  string
	Reason    Reason
	Sealed    []byte
	EndedAt   time.Time
	NotBefore time.Time // next attempt; leases push it ahead
	Attempts  int
	LastError string // why the last attempt failed, already free of secrets; empty at first
	Head      []byte // keys.HeadOf(Sealed), where Sealed is left out
}

// An Inspection is what an operator should know of a store.
type Inspection struct {
	Layout   string        // how its layout stands to this build; "": not said
	Current  bool          // a start changes nothing about the layout
	Warnings []string      // of settings that endanger sessions
	Ahead    time.Duration // of this machine's clock, of the server's
}

// A Store keeps sealed records and the outbox. All methods are safe for concurrent use, by several
// processes too where the store is shared. Times are kept to the millisecond at least.
//
// The store never opens a record: ending one moves the sealed record, as it is at that instant,
// into the outbox, so that the newest tokens are the ones revoked and nothing has to be read first.
type Store interface {
	// Create writes a new record at version 1. ErrExists when the name is taken, in the outbox too.
	Create(ctx context.Context, e Entry) error
	// Load returns the record, expired or not; its Indices may be left out. ErrNotFound when there is none.
	Load(ctx context.Context, name Name) (Entry, error)
	// Update replaces Sealed, Indices and ExpiresAt if the record still is at e.Version, and makes
	// it e.Version+1. ErrConflict when it is at another, ErrNotFound when it is gone.
	Update(ctx context.Context, e Entry) error
	// Touch moves LastActive and IdleExpires forward, never back, leaving the version alone.
	// ErrNotFound when the record is gone. A crash of the store may take back the last second's touches.
	Touch(ctx context.Context, name Name, lastActive, idleExpires time.Time) error
	// End removes the record and puts it into the outbox in one atomic step. ErrNotFound when there
	// is none, so exactly one of several callers hears nil.
	End(ctx context.Context, name Name, reason Reason, at time.Time) error
	// EndExpired ends at most limit records whose absolute or idle expiry is not after now, with
	// ReasonExpired, and returns their names.
	EndExpired(ctx context.Context, now time.Time, limit int) ([]Name, error)
	// Find returns the names indexed under key; some may be gone already.
	Find(ctx context.Context, key string) ([]Name, error)
	// List returns up to limit entries with names greater than after, by name (byte order), without
	// Sealed and Indices, with Head.
	List(ctx context.Context, after Name, limit int) ([]Entry, error)
	// Count returns how many records there are.
	Count(ctx context.Context) (int, error)

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

	// MarkOnce remembers key until the given time and reports whether it was new.
	MarkOnce(ctx context.Context, key string, until time.Time) (bool, error)
	// Marked reports whether key is remembered, without marking it.
	Marked(ctx context.Context, key string) (bool, error)

	// Keep keeps something sealed under a key that nothing is kept under, until ttl has passed, by the store's clock.
	Keep(ctx context.Context, key string, sealed []byte, ttl time.Duration) error
	// Take removes what is kept under key and returns it. ErrNotFound when there is nothing, or its time is over: so
	// exactly one of several callers gets it.
	Take(ctx context.Context, key string) ([]byte, error)

	// Acquire gives holder the lease on key, unless another has it, until it is released or ttl has
	// passed, and reports whether it did. A lease outlives a crash of the store: whoever got it goes on believing
	// in it. Where the store is a Line, a lease also outlasts its ttl, up to FrozenFactor times, while the process that
	// has it still listens: it has not died, but is frozen, and goes on as if nothing had been once it wakes.
	Acquire(ctx context.Context, key, holder string, ttl time.Duration) (bool, error)
	// Release ends the lease on key if holder still has it. Releasing what another has changes nothing.
	Release(ctx context.Context, key, holder string) error

	// Ping returns nil when the store answers, and what its clock says; the zero time if it has none but this machine's.
	// A store that takes no writes may tell the time beside its error.
	Ping(ctx context.Context) (time.Time, error)
	// Close lets go of the store. No method may be called after it.
	Close() error
}
