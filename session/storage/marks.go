package storage

import (
	"context"
	"time"
)

// Marks keep small values for a limited time, under hashed keys.
type Marks interface {
	// MarkOnce marks key until the given time and reports whether it was not marked before.
	MarkOnce(ctx context.Context, key string, until time.Time) (bool, error)
	// Marked reports whether key is marked, without marking it.
	Marked(ctx context.Context, key string) (bool, error)
	// Keep stores a sealed value under key, which must not be in use, until ttl has passed by the
	// store's clock.
	Keep(ctx context.Context, key string, sealed []byte, ttl time.Duration) error
	// Take removes the value that is kept under key and returns it, so that exactly one of several
	// callers gets it. It returns ErrNotFound if there is none, or if it has expired.
	Take(ctx context.Context, key string) ([]byte, error)
}

// FrozenFactor limits how long a lease lasts whose holder is frozen: FrozenFactor times its ttl. A
// process whose machine lost power looks frozen, too, until the store gives up its connection.
const FrozenFactor = 4

// Leases let one process at a time do something.
type Leases interface {
	// Acquire gives holder the lease on key until it is released or ttl has passed, unless somebody
	// else holds it, and reports whether it did. A lease survives a crash of the store, because its
	// holder goes on relying on it. If the store has a ChangeFeed, a lease also outlasts its ttl,
	// up to FrozenFactor times, as long as the process that holds it is still listening: that
	// process is not dead but frozen, and will go on as if nothing had happened once it wakes.
	Acquire(ctx context.Context, key, holder string, ttl time.Duration) (bool, error)
	// Release ends the lease on key if holder still has it. Otherwise it changes nothing.
	Release(ctx context.Context, key, holder string) error
}
