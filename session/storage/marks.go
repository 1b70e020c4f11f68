package storage

import (
	"context"
	"time"
)

// Marks keep small things for a time, under hashed keys.
type Marks interface {
	// MarkOnce remembers key until the given time and reports whether it was new.
	MarkOnce(ctx context.Context, key string, until time.Time) (bool, error)
	// Marked reports whether key is remembered, without marking it.
	Marked(ctx context.Context, key string) (bool, error)
	// Keep keeps something sealed under a key that nothing is kept under, until ttl has passed, by the store's clock.
	Keep(ctx context.Context, key string, sealed []byte, ttl time.Duration) error
	// Take removes what is kept under key and returns it. ErrNotFound when there is nothing, or its time is over: so
	// exactly one of several callers gets it.
	Take(ctx context.Context, key string) ([]byte, error)
}

// FrozenFactor is how many times its ttl a lease may last while its holder is frozen. A process whose machine lost its
// power looks frozen, too, until the store gives up its connection.
const FrozenFactor = 4

// Leases let one process at a time do a thing.
type Leases interface {
	// Acquire gives holder the lease on key, unless another has it, until it is released or ttl has
	// passed, and reports whether it did. A lease outlives a crash of the store: whoever got it goes on believing
	// in it. Where the store has a ChangeFeed, a lease also outlasts its ttl, up to FrozenFactor times, while the process
	// that has it still listens: it has not died, but is frozen, and goes on as if nothing had been once it wakes.
	Acquire(ctx context.Context, key, holder string, ttl time.Duration) (bool, error)
	// Release ends the lease on key if holder still has it. Releasing what another has changes nothing.
	Release(ctx context.Context, key, holder string) error
}
