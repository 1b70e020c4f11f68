package session

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// maxConflicts bounds how often a commit starts over; each conflict means that somebody else got on.
const maxConflicts = 20

// Commit applies change to a copy of the record and writes it if the record still is as it was; if
// not, it applies change to the newest one and tries again. What change returns as an error ends the
// attempt and is returned as it is. Commit returns ErrEnded when the session is over: it never brings one back.
func (m *Manager) Commit(ctx context.Context, s *Session, change func(*Record) error) (*Session, error) {
	for range maxConflicts {
		next, err := m.commitOnce(ctx, s, change)
		if !errors.Is(err, ErrConflict) {
			return next, err
		}
		if s, err = m.load(ctx, s.Name); err != nil {
			return nil, ended(err)
		}
	}
	return nil, fmt.Errorf("write session %s: %w", s.Record.ID, Unavailable(ErrConflict))
}

func (m *Manager) commitOnce(ctx context.Context, s *Session, change func(*Record) error) (*Session, error) {
	rec := *s.Record
	if err := change(&rec); err != nil {
		return nil, err
	}
	plain, err := encodeRecord(&rec)
	if err != nil {
		return nil, err
	}
	sealed, err := m.sealer.seal(s.Name, plain)
	if err != nil {
		return nil, err
	}
	epoch := m.cache.epoch(s.Name)
	err = m.store.Update(ctx, Entry{
		Name: s.Name, Version: s.Version, Sealed: sealed, Provider: rec.Provider, Indices: rec.indices(), ExpiresAt: rec.ExpiresAt,
	})
	switch {
	case errors.Is(err, ErrConflict):
		return nil, ErrConflict
	case errors.Is(err, ErrNotFound):
		return nil, ErrEnded
	case err != nil:
		return nil, Unavailable(err)
	}
	next := &Session{Name: s.Name, Version: s.Version + 1, Record: &rec, IdleExpires: s.IdleExpires, LastActive: s.LastActive}
	m.cache.put(next, epoch, m.now())
	m.hub.publish(s.Name, Event{Kind: Changed, Session: next})
	return next, nil
}

// ended is how a writer hears that there is nothing to write to.
func ended(err error) error {
	if errors.Is(err, ErrNoSession) || errors.Is(err, ErrSessionExpired) {
		return ErrEnded
	}
	return err
}

// Touch notes that the session is active: it moves the idle expiry on, and nothing else. It writes at
// most once in a tenth of the idle time-out, behind the caller, and a store that fails is tried
// again at the next request.
func (m *Manager) Touch(ctx context.Context, s *Session) {
	now := m.now()
	if m.idle == 0 || now.Sub(s.LastActive) < m.idle/touchShare {
		return
	}
	idleExpires := m.idleFrom(now)
	if !m.cache.touch(s, s.LastActive, now, idleExpires) {
		return
	}
	select {
	case m.slots <- struct{}{}:
	default:
		return // the store is slow; the next request touches
	}
	m.touching.Go(func() {
		defer func() { <-m.slots }()
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
		defer cancel()
		if err := m.store.Touch(ctx, s.Name, now, idleExpires); err != nil && !errors.Is(err, ErrNotFound) {
			m.cache.drop(s.Name) // what the cache says of its activity is not so
			m.log.WarnContext(ctx, "activity of a session was not noted", "session", s.Record.ID, "error", err)
		}
	})
}
