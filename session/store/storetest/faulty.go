package storetest

import (
	"context"
	"errors"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/cloakroom/cloakroom/session/storage"
)

// ErrDisk is the error of operations that Fail makes fail.
var ErrDisk = errors.New("disk is full")

// A Faulty is a store in front of another. It counts its calls, and can be made to fail or to wait.
// Operations are named by the method in lower case: create, load, update, touch, end, endexpired,
// find, list, count, enqueue, lease, done, acquire, ping. Two more run after the answer of the
// store: loaded, which can delay the answer, and pinged, whose error is returned beside the time,
// as by a store that refuses writes. It is safe for concurrent use.
type Faulty struct {
	storage.Records
	storage.Finder
	storage.Outbox
	storage.Leases
	storage.Marks
	storage.Connection
	Behind storage.Store // without faults

	Loads, Touches, Writes atomic.Int32 // numbers of calls; a write is create, update or end

	mu     sync.Mutex // guards the fields below
	any    func(ctx context.Context, operation string) error
	before map[string]func(context.Context) error
	after  map[string]func() error
	lapsed bool
	clock  func() (time.Time, error)
}

// NewFaulty puts a Faulty in front of a store.
func NewFaulty(behind storage.Store) *Faulty {
	return &Faulty{
		Records: behind.Records, Finder: behind.Finder, Outbox: behind.Outbox, Leases: behind.Leases,
		Marks: behind.Marks, Connection: behind.Connection, Behind: behind,
		before: map[string]func(context.Context) error{}, after: map[string]func() error{},
	}
}

// Parts returns the faulty store as a storage.Store.
func (s *Faulty) Parts() storage.Store {
	parts := s.Behind
	parts.Records, parts.Finder, parts.Outbox, parts.Leases, parts.Connection = s, s, s, s, s
	return parts
}

// BeforeAny makes each operation call fn first. An error of fn becomes the operation's. Nil removes
// fn.
func (s *Faulty) BeforeAny(fn func(ctx context.Context, operation string) error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.any = fn
}

// Before makes an operation call fn first. An error of fn becomes the operation's. Nil removes fn.
func (s *Faulty) Before(operation string, fn func(context.Context) error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.before[operation] = fn
}

// After makes an operation call fn after it succeeded. An error of fn becomes the operation's. Nil
// removes fn.
func (s *Faulty) After(operation string, fn func() error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.after[operation] = fn
}

// Fail makes these operations fail with ErrDisk, and no others.
func (s *Faulty) Fail(operations ...string) {
	s.BeforeAny(func(_ context.Context, operation string) error {
		if slices.Contains(operations, operation) {
			return ErrDisk
		}
		return nil
	})
}

// Lapse grants every lease to everybody from now on, as if all others had expired.
func (s *Faulty) Lapse() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.lapsed = true
}

// SetClock sets what Ping returns; nil: what the store behind returns.
func (s *Faulty) SetClock(clock func() (time.Time, error)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.clock = clock
}

// do runs an operation between its hooks.
func (s *Faulty) do(ctx context.Context, operation string, run func() error) error {
	s.mu.Lock()
	any, before, after := s.any, s.before[operation], s.after[operation]
	s.mu.Unlock()
	if any != nil {
		if err := any(ctx, operation); err != nil {
			return err
		}
	}
	if before != nil {
		if err := before(ctx); err != nil {
			return err
		}
	}
	if err := run(); err != nil || after == nil {
		return err
	}
	return after()
}

// Create implements storage.Records.
func (s *Faulty) Create(ctx context.Context, e storage.Entry) error {
	s.Writes.Add(1)
	return s.do(ctx, "create", func() error { return s.Records.Create(ctx, e) })
}

// Load implements storage.Records.
func (s *Faulty) Load(ctx context.Context, name string) (e storage.Entry, err error) {
	s.Loads.Add(1)
	err = s.do(ctx, "load", func() error { e, err = s.Records.Load(ctx, name); return err })
	if held := s.do(ctx, "loaded", func() error { return nil }); held != nil {
		return storage.Entry{}, held
	}
	return e, err
}

// Update implements storage.Records.
func (s *Faulty) Update(ctx context.Context, e storage.Entry) error {
	s.Writes.Add(1)
	return s.do(ctx, "update", func() error { return s.Records.Update(ctx, e) })
}

// Touch implements storage.Records.
func (s *Faulty) Touch(ctx context.Context, name string, lastActive, idleExpires time.Time) error {
	s.Touches.Add(1)
	return s.do(ctx, "touch", func() error { return s.Records.Touch(ctx, name, lastActive, idleExpires) })
}

// End implements storage.Records.
func (s *Faulty) End(ctx context.Context, name, reason string, at time.Time) error {
	s.Writes.Add(1)
	return s.do(ctx, "end", func() error { return s.Records.End(ctx, name, reason, at) })
}

// EndExpired implements storage.Records.
func (s *Faulty) EndExpired(
	ctx context.Context, reason string, now time.Time, limit int,
) (names []string, err error) {
	err = s.do(ctx, "endexpired", func() error {
		names, err = s.Records.EndExpired(ctx, reason, now, limit)
		return err
	})
	return names, err
}

// Find implements storage.Finder.
func (s *Faulty) Find(ctx context.Context, key string) (names []string, err error) {
	err = s.do(ctx, "find", func() error { names, err = s.Finder.Find(ctx, key); return err })
	return names, err
}

// List implements storage.Finder.
func (s *Faulty) List(ctx context.Context, after string, limit int) (entries []storage.Entry, err error) {
	err = s.do(ctx, "list", func() error { entries, err = s.Finder.List(ctx, after, limit); return err })
	return entries, err
}

// Count implements storage.Finder.
func (s *Faulty) Count(ctx context.Context) (n int, err error) {
	err = s.do(ctx, "count", func() error { n, err = s.Finder.Count(ctx); return err })
	return n, err
}

// Enqueue implements storage.Outbox.
func (s *Faulty) Enqueue(ctx context.Context, r storage.Revocation) error {
	return s.do(ctx, "enqueue", func() error { return s.Outbox.Enqueue(ctx, r) })
}

// Lease implements storage.Outbox.
func (s *Faulty) Lease(
	ctx context.Context, now time.Time, lease time.Duration, limit int,
) (items []storage.Revocation, err error) {
	err = s.do(ctx, "lease", func() error {
		items, err = s.Outbox.Lease(ctx, now, lease, limit)
		return err
	})
	return items, err
}

// Done implements storage.Outbox.
func (s *Faulty) Done(ctx context.Context, id string) error {
	return s.do(ctx, "done", func() error { return s.Outbox.Done(ctx, id) })
}

// Acquire implements storage.Leases.
func (s *Faulty) Acquire(ctx context.Context, key, holder string, ttl time.Duration) (got bool, err error) {
	s.mu.Lock()
	lapsed := s.lapsed
	s.mu.Unlock()
	err = s.do(ctx, "acquire", func() error { got, err = s.Leases.Acquire(ctx, key, holder, ttl); return err })
	return got || lapsed && err == nil, err
}

// Ping implements storage.Connection.
func (s *Faulty) Ping(ctx context.Context) (at time.Time, err error) {
	s.mu.Lock()
	clock := s.clock
	s.mu.Unlock()
	err = s.do(ctx, "ping", func() error { at, err = s.Connection.Ping(ctx); return err })
	if err != nil {
		return at, err
	}
	if clock != nil {
		if at, err = clock(); err != nil {
			return at, err
		}
	}
	return at, s.do(ctx, "pinged", func() error { return nil })
}
