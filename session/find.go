package session

import (
	"context"
	"errors"
	"net/http"
	"time"
)

// FromRequest finds the session that the request's cookie names. It returns ErrNoSession,
// ErrSessionExpired or an ErrUnavailable. Of several cookies of our name the first with a live
// session counts. Finding a session is no activity; see Touch.
func (m *Manager) FromRequest(r *http.Request) (*Session, error) {
	result := ErrNoSession
	for _, t := range m.tickets.fromRequest(r) {
		s, err := m.Get(r.Context(), t.name)
		switch {
		case err == nil:
			return s, nil
		case errors.Is(err, ErrNoSession) && m.mayHaveRunOut(t):
			result = ErrSessionExpired
		case errors.Is(err, ErrSessionExpired):
			result = err
		case !errors.Is(err, ErrNoSession):
			return nil, err
		}
	}
	return nil, result
}

// NameFromRequest is the name of the first good ticket, without asking the store whether it still
// names a session; "" when there is none.
func (m *Manager) NameFromRequest(r *http.Request) Name {
	for _, t := range m.tickets.fromRequest(r) {
		return t.name
	}
	return ""
}

// mayHaveRunOut tells, for a record that is gone, whether it can have expired: the sweeper leaves
// nothing behind to ask.
func (m *Manager) mayHaveRunOut(t ticket) bool {
	if reason, known := m.recent.Get(t.name); known {
		return reason == ReasonExpired
	}
	age := m.now().Sub(t.issued)
	return age >= m.lifetime || m.idle > 0 && age >= m.idle
}

// Get returns the session of a name, from the cache or the store. It returns ErrNoSession,
// ErrSessionExpired or an ErrUnavailable.
func (m *Manager) Get(ctx context.Context, name Name) (*Session, error) {
	now := m.now()
	if s, ok := m.cache.get(name, now); ok && s.alive(now) {
		return s, nil
	}
	return m.load(ctx, name)
}

// load asks the store. A record that is past its time is never served, swept or not.
func (m *Manager) load(ctx context.Context, name Name) (*Session, error) {
	epoch := m.cache.epoch(name)
	e, err := m.store.Load(ctx, name)
	if errors.Is(err, ErrNotFound) {
		return nil, ErrNoSession
	}
	if err != nil {
		return nil, Unavailable(err)
	}
	s, err := m.open(e)
	if errors.Is(err, errGarbled) {
		m.log.ErrorContext(ctx, "a stored session does not open and is ended", "name", short(name), "error", err)
		return nil, errors.Join(ErrNoSession, m.End(ctx, name, ReasonUnreadable))
	}
	if err != nil {
		return nil, Unavailable(err)
	}
	now := m.now()
	if !s.alive(now) {
		return nil, ErrSessionExpired
	}
	m.cache.put(s, epoch, now)
	return s, nil
}

// open opens what a store holds.
func (m *Manager) open(e Entry) (*Session, error) {
	plain, err := m.sealer.open(e.Name, e.Sealed)
	if err != nil {
		return nil, err
	}
	rec, err := decodeRecord(plain)
	if err != nil {
		return nil, err
	}
	return &Session{Name: e.Name, Version: e.Version, Record: rec, IdleExpires: e.IdleExpires, LastActive: e.LastActive}, nil
}

// alive reports whether neither limit has passed.
func (s *Session) alive(now time.Time) bool {
	return now.Before(s.Record.ExpiresAt) && (s.IdleExpires.IsZero() || now.Before(s.IdleExpires))
}

// Find returns the live sessions indexed under a key (SubjectKey, SIDKey, IDKey).
func (m *Manager) Find(ctx context.Context, key string) ([]*Session, error) {
	names, err := m.store.Find(ctx, key)
	if err != nil {
		return nil, Unavailable(err)
	}
	return m.getAll(ctx, names)
}

// List returns up to limit live sessions with names after the given one, by name, and the name to
// go on after; "" when there are no more.
func (m *Manager) List(ctx context.Context, after Name, limit int) ([]*Session, Name, error) {
	entries, err := m.store.List(ctx, after, limit)
	if err != nil {
		return nil, "", Unavailable(err)
	}
	names := make([]Name, len(entries))
	for i, e := range entries {
		names[i] = e.Name
	}
	found, err := m.getAll(ctx, names)
	if len(names) < limit || err != nil {
		return found, "", err
	}
	return found, names[len(names)-1], nil
}

// getAll gets the sessions that are still alive.
func (m *Manager) getAll(ctx context.Context, names []Name) ([]*Session, error) {
	var found []*Session
	for _, n := range names {
		s, err := m.Get(ctx, n)
		if errors.Is(err, ErrNoSession) || errors.Is(err, ErrSessionExpired) {
			continue
		}
		if err != nil {
			return nil, err
		}
		found = append(found, s)
	}
	return found, nil
}

// short is enough of a name to find a line by, in logs.
func short(n Name) string { return string(n[:min(len(n), 8)]) }

// Reload is Get without the cache, for writers that must see what other replicas wrote.
func (m *Manager) Reload(ctx context.Context, name Name) (*Session, error) { return m.load(ctx, name) }
