// Package memory keeps sessions in this process: for trying things and for tests. It forgets
// everything at the end, the outbox included, so tokens of ended sessions that were not yet revoked live on.
package memory

import (
	"cmp"
	"context"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/cloakroom/cloakroom/session"
)

// A Store is a session.Store in memory. It grows with the sessions in it and is bounded by nothing
// else.
type Store struct {
	mu      sync.Mutex // guards all below
	entries map[session.Name]session.Entry
	index   map[string]map[session.Name]struct{}
	outbox  map[string]session.Revocation
	marks   map[string]time.Time
}

// New returns an empty store.
func New() *Store {
	return &Store{
		entries: map[session.Name]session.Entry{}, index: map[string]map[session.Name]struct{}{},
		outbox: map[string]session.Revocation{}, marks: map[string]time.Time{},
	}
}

// Create implements session.Store.
func (s *Store) Create(ctx context.Context, e session.Entry) error {
	defer s.lock()()
	if _, taken := s.entries[e.Name]; taken {
		return session.ErrExists
	}
	if _, ended := s.outbox[string(e.Name)]; ended {
		return session.ErrExists
	}
	e.Version = 1
	s.put(e)
	return ctx.Err()
}

// Load implements session.Store.
func (s *Store) Load(ctx context.Context, name session.Name) (session.Entry, error) {
	defer s.lock()()
	e, ok := s.entries[name]
	if !ok {
		return session.Entry{}, session.ErrNotFound
	}
	return copied(e), ctx.Err()
}

// Update implements session.Store.
func (s *Store) Update(_ context.Context, e session.Entry) error {
	defer s.lock()()
	old, ok := s.entries[e.Name]
	if !ok {
		return session.ErrNotFound
	}
	if old.Version != e.Version {
		return session.ErrConflict
	}
	s.unindex(old)
	old.Sealed, old.Indices, old.ExpiresAt = e.Sealed, e.Indices, e.ExpiresAt
	old.Version++
	s.put(old)
	return nil
}

// Touch implements session.Store.
func (s *Store) Touch(_ context.Context, name session.Name, lastActive, idleExpires time.Time) error {
	defer s.lock()()
	e, ok := s.entries[name]
	if !ok {
		return session.ErrNotFound
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

// End implements session.Store.
func (s *Store) End(_ context.Context, name session.Name, reason session.Reason, at time.Time) error {
	defer s.lock()()
	e, ok := s.entries[name]
	if !ok {
		return session.ErrNotFound
	}
	s.end(e, reason, at)
	return nil
}

// EndExpired implements session.Store.
func (s *Store) EndExpired(_ context.Context, now time.Time, limit int) ([]session.Name, error) {
	defer s.lock()()
	var names []session.Name
	for n, e := range s.entries {
		if len(names) == limit {
			break
		}
		if !e.ExpiresAt.After(now) || !e.IdleExpires.IsZero() && !e.IdleExpires.After(now) {
			s.end(e, session.ReasonExpired, now)
			names = append(names, n)
		}
	}
	for k, until := range s.marks {
		if !until.After(now) {
			delete(s.marks, k)
		}
	}
	return names, nil
}

// Find implements session.Store.
func (s *Store) Find(_ context.Context, key string) ([]session.Name, error) {
	defer s.lock()()
	return slices.Sorted(maps.Keys(s.index[key])), nil
}

// List implements session.Store.
func (s *Store) List(_ context.Context, after session.Name, limit int) ([]session.Entry, error) {
	defer s.lock()()
	var page []session.Entry
	for _, n := range slices.Sorted(maps.Keys(s.entries)) {
		if n <= after {
			continue
		}
		if len(page) == limit {
			break
		}
		e := copied(s.entries[n])
		e.Sealed = nil
		page = append(page, e)
	}
	return page, nil
}

// Count implements session.Store.
func (s *Store) Count(context.Context) (int, error) {
	defer s.lock()()
	return len(s.entries), nil
}

// Enqueue implements session.Store.
func (s *Store) Enqueue(_ context.Context, r session.Revocation) error {
	defer s.lock()()
	if _, there := s.outbox[r.ID]; !there {
		s.outbox[r.ID] = r
	}
	return nil
}

// Lease implements session.Store.
func (s *Store) Lease(_ context.Context, now time.Time, lease time.Duration, limit int) ([]session.Revocation, error) {
	defer s.lock()()
	var due []session.Revocation
	for _, r := range s.oldestFirst() {
		if len(due) == limit {
			break
		}
		if !r.NotBefore.After(now) {
			due = append(due, r)
			r.NotBefore = now.Add(lease)
			s.outbox[r.ID] = r
		}
	}
	return due, nil
}

// Retry implements session.Store.
func (s *Store) Retry(_ context.Context, id string, notBefore time.Time, lastError string) error {
	defer s.lock()()
	if r, ok := s.outbox[id]; ok {
		r.NotBefore, r.LastError = notBefore, lastError
		r.Attempts++
		s.outbox[id] = r
	}
	return nil
}

// Done implements session.Store.
func (s *Store) Done(_ context.Context, id string) error {
	defer s.lock()()
	delete(s.outbox, id)
	return nil
}

// Revocations implements session.Store.
func (s *Store) Revocations(_ context.Context, limit int) ([]session.Revocation, int, error) {
	defer s.lock()()
	all := s.oldestFirst()
	page := all[:min(limit, len(all))]
	for i := range page {
		page[i].Sealed = nil
	}
	return page, len(all), nil
}

// MarkOnce implements session.Store.
func (s *Store) MarkOnce(_ context.Context, key string, until time.Time) (bool, error) {
	defer s.lock()()
	if _, marked := s.marks[key]; marked {
		return false, nil
	}
	s.marks[key] = until
	return true, nil
}

// Marked implements session.Store.
func (s *Store) Marked(_ context.Context, key string) (bool, error) {
	defer s.lock()()
	_, marked := s.marks[key]
	return marked, nil
}

// Ping implements session.Store.
func (s *Store) Ping(context.Context) error { return nil }

// Close implements session.Store.
func (s *Store) Close() error { return nil }

func (s *Store) lock() (unlock func()) {
	s.mu.Lock()
	return s.mu.Unlock
}

func (s *Store) put(e session.Entry) {
	e = copied(e)
	s.entries[e.Name] = e
	for _, k := range e.Indices {
		if s.index[k] == nil {
			s.index[k] = map[session.Name]struct{}{}
		}
		s.index[k][e.Name] = struct{}{}
	}
}

func (s *Store) unindex(e session.Entry) {
	for _, k := range e.Indices {
		delete(s.index[k], e.Name)
		if len(s.index[k]) == 0 {
			delete(s.index, k)
		}
	}
}

func (s *Store) end(e session.Entry, reason session.Reason, at time.Time) {
	s.unindex(e)
	delete(s.entries, e.Name)
	s.outbox[string(e.Name)] = session.Revocation{
		ID: string(e.Name), Origin: e.Name, Provider: e.Provider, Reason: reason, Sealed: e.Sealed, EndedAt: at, NotBefore: at,
	}
}

func (s *Store) oldestFirst() []session.Revocation {
	return slices.SortedFunc(maps.Values(s.outbox), func(a, b session.Revocation) int {
		return cmp.Or(a.EndedAt.Compare(b.EndedAt), cmp.Compare(a.ID, b.ID))
	})
}

// copied shares nothing with e that a caller could change.
func copied(e session.Entry) session.Entry {
	e.Sealed, e.Indices = slices.Clone(e.Sealed), slices.Clone(e.Indices)
	return e
}
