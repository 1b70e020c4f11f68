// Package memory keeps sessions in this process, for trials and for tests.
//
// It loses everything when the process ends, the outbox included: tokens of ended sessions that
// were not yet revoked stay valid then. Nothing bounds how much memory it takes.
package memory

import (
	"context"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/cloakroom/cloakroom/keys"
	"github.com/cloakroom/cloakroom/session/storage"
)

// A Store is an in-memory implementation of all parts of a storage.Store except the Feed.
type Store struct {
	mu      sync.Mutex // guards all fields below
	entries map[string]storage.Entry
	index   map[string]map[string]struct{}
	expiry  queue[string] // holds every entry, at its expiry or earlier
	outbox  map[string]storage.Revocation
	due     queue[string] // holds every item of the outbox, at its NotBefore
	marks   map[string]time.Time
	leases  map[string]lease
	kept    map[string]kept
}

// New returns an empty store.
func New() *Store {
	return &Store{
		entries: map[string]storage.Entry{}, index: map[string]map[string]struct{}{},
		outbox: map[string]storage.Revocation{}, marks: map[string]time.Time{},
		leases: map[string]lease{}, kept: map[string]kept{},
	}
}

// Parts returns the store as a storage.Store.
func (s *Store) Parts() storage.Store {
	return storage.Store{Records: s, Finder: s, Outbox: s, Leases: s, Marks: s, Connection: s}
}

// enter takes the lock. If ctx has ended it returns an error instead, as a store on a network does.
func (s *Store) enter(ctx context.Context) (leave func(), err error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	s.mu.Lock()
	return s.mu.Unlock, nil
}

// Create implements storage.Records.
func (s *Store) Create(ctx context.Context, e storage.Entry) error {
	leave, err := s.enter(ctx)
	if err != nil {
		return err
	}
	defer leave()
	_, taken := s.entries[e.Name]
	_, ended := s.outbox[e.Name]
	if taken || ended {
		return storage.ErrExists
	}
	e.Version = 1
	s.put(e)
	return nil
}

// Load implements storage.Records.
func (s *Store) Load(ctx context.Context, name string) (storage.Entry, error) {
	leave, err := s.enter(ctx)
	if err != nil {
		return storage.Entry{}, err
	}
	defer leave()
	e, ok := s.entries[name]
	if !ok {
		return storage.Entry{}, storage.ErrNotFound
	}
	return copied(e), nil
}

// Update implements storage.Records.
func (s *Store) Update(ctx context.Context, e storage.Entry) error {
	leave, err := s.enter(ctx)
	if err != nil {
		return err
	}
	defer leave()
	old, ok := s.entries[e.Name]
	if !ok {
		return storage.ErrNotFound
	}
	if old.Version != e.Version {
		return storage.ErrConflict
	}
	s.unindex(old)
	old.Sealed, old.Indices, old.ExpiresAt = e.Sealed, e.Indices, e.ExpiresAt
	old.Version++
	s.put(old)
	return nil
}

// Touch implements storage.Records.
func (s *Store) Touch(ctx context.Context, name string, lastActive, idleExpires time.Time) error {
	leave, err := s.enter(ctx)
	if err != nil {
		return err
	}
	defer leave()
	e, ok := s.entries[name]
	if !ok {
		return storage.ErrNotFound
	}
	if lastActive.After(e.LastActive) {
		e.LastActive = lastActive
	}
	if idleExpires.After(e.IdleExpires) {
		e.IdleExpires = idleExpires
	}
	s.entries[name] = e
	return nil
}

// End implements storage.Records.
func (s *Store) End(ctx context.Context, name, reason string, at time.Time) error {
	leave, err := s.enter(ctx)
	if err != nil {
		return err
	}
	defer leave()
	e, ok := s.entries[name]
	if !ok {
		return storage.ErrNotFound
	}
	s.end(e, reason, at)
	return nil
}

// EndExpired implements storage.Records. It also removes expired marks.
func (s *Store) EndExpired(
	ctx context.Context, reason string, now time.Time, limit int,
) ([]string, error) {
	leave, err := s.enter(ctx)
	if err != nil {
		return nil, err
	}
	defer leave()
	var ended []string
	for len(ended) < limit {
		item, ok := s.expiry.take(now)
		if !ok {
			break
		}
		e, ok := s.entries[item.key]
		switch {
		case !ok: // it has ended already
		case expiry(e).After(now):
			s.expiry.add(expiry(e), e.Name) // it was touched since
		default:
			s.end(e, reason, now)
			ended = append(ended, e.Name)
		}
	}
	maps.DeleteFunc(s.marks, func(_ string, until time.Time) bool { return !until.After(now) })
	maps.DeleteFunc(s.leases, func(_ string, l lease) bool { return !l.until.After(time.Now()) })
	maps.DeleteFunc(s.kept, func(_ string, k kept) bool { return !k.until.After(time.Now()) })
	return ended, nil
}

// Find implements storage.Finder.
func (s *Store) Find(ctx context.Context, key string) ([]string, error) {
	leave, err := s.enter(ctx)
	if err != nil {
		return nil, err
	}
	defer leave()
	return slices.Sorted(maps.Keys(s.index[key])), nil
}

// List implements storage.Finder. It sorts all names for each page.
func (s *Store) List(ctx context.Context, after string, limit int) ([]storage.Entry, error) {
	leave, err := s.enter(ctx)
	if err != nil {
		return nil, err
	}
	defer leave()
	names := slices.Sorted(maps.Keys(s.entries))
	first, found := slices.BinarySearch(names, after)
	if found {
		first++
	}
	var page []storage.Entry
	for _, n := range names[first:min(first+limit, len(names))] {
		e := s.entries[n]
		e.Head = keys.HeadOf(e.Sealed)
		e.Sealed, e.Indices = nil, nil
		page = append(page, e)
	}
	return page, nil
}

// Count implements storage.Finder.
func (s *Store) Count(ctx context.Context) (int, error) {
	leave, err := s.enter(ctx)
	if err != nil {
		return 0, err
	}
	defer leave()
	return len(s.entries), nil
}

// Ping implements storage.Connection.
func (s *Store) Ping(context.Context) (time.Time, error) { return time.Time{}, nil }

// Close implements storage.Connection.
func (s *Store) Close() error { return nil }

func (s *Store) put(e storage.Entry) {
	e = copied(e)
	s.entries[e.Name] = e
	s.expiry.add(expiry(e), e.Name)
	for _, k := range e.Indices {
		if s.index[k] == nil {
			s.index[k] = map[string]struct{}{}
		}
		s.index[k][e.Name] = struct{}{}
	}
}

func (s *Store) unindex(e storage.Entry) {
	for _, k := range e.Indices {
		delete(s.index[k], e.Name)
		if len(s.index[k]) == 0 {
			delete(s.index, k)
		}
	}
}

func (s *Store) end(e storage.Entry, reason string, at time.Time) {
	s.unindex(e)
	delete(s.entries, e.Name)
	s.enqueue(storage.Revocation{
		ID: e.Name, Origin: e.Name, Provider: e.Provider, Reason: reason,
		Sealed: e.Sealed, EndedAt: at, NotBefore: at,
	})
}

// expiry is the earlier of the absolute and the idle expiry.
func expiry(e storage.Entry) time.Time {
	if !e.IdleExpires.IsZero() && e.IdleExpires.Before(e.ExpiresAt) {
		return e.IdleExpires
	}
	return e.ExpiresAt
}

// copied returns a deep copy of e.
func copied(e storage.Entry) storage.Entry {
	e.Sealed, e.Indices = slices.Clone(e.Sealed), slices.Clone(e.Indices)
	return e
}
