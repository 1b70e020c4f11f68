package session

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/cloakroom/cloakroom/keys"
	"github.com/cloakroom/cloakroom/session/storage"
)

// maxCommitTries bounds how often one write is tried against others. One writer wins each round, so
// even a crowd is through sooner.
const maxCommitTries = 50

// Commit applies change to a copy of the newest record, and writes it if nothing else was written
// meanwhile; otherwise it applies change anew, to what is newest then. An error of change ends it and is
// returned as it is. change may be called several times, must replace slices instead of writing into
// them, and can bring the session's end forward, but never put it off. ErrEnded means that the session is gone, and stays gone: what
// change would have put into it is the caller's to revoke. After an error that is ErrUnavailable the
// record may or may not have been written.
func (m *Manager) Commit(ctx context.Context, s *Session, change func(*Record) error) (*Session, error) {
	for range maxCommitTries {
		written, err := m.tryCommit(ctx, s.Name, change)
		if !errors.Is(err, storage.ErrConflict) {
			return written, err
		}
	}
	return nil, Unavailable(fmt.Errorf("write session %q: %w", s.Record.ID, storage.ErrConflict))
}

// tryCommit reads, changes and writes once. storage.ErrConflict means that another writer came between.
func (m *Manager) tryCommit(ctx context.Context, name Name, change func(*Record) error) (*Session, error) {
	e, err := m.records.Load(ctx, string(name))
	if errors.Is(err, storage.ErrNotFound) {
		return nil, ErrEnded
	}
	if err != nil {
		return nil, Unavailable(err)
	}
	newest, err := m.open(e)
	if errors.Is(err, keys.ErrUnreadable) {
		if err := m.endUnreadable(ctx, name, err); !errors.Is(err, ErrNoSession) {
			return nil, err
		}
		return nil, ErrEnded
	}
	if err != nil {
		return nil, Unavailable(err)
	}
	rec := *newest.Record
	if err := change(&rec); err != nil {
		return nil, err
	}
	return m.write(ctx, e, newest, &rec)
}

// write replaces the record that was read as e by rec.
func (m *Manager) write(ctx context.Context, e storage.Entry, read *Session, rec *Record) (*Session, error) {
	rec.ID, rec.LogoutID, rec.Provider = read.Record.ID, read.Record.LogoutID, read.Record.Provider
	rec.CreatedAt = read.Record.CreatedAt
	if rec.ExpiresAt.After(read.Record.ExpiresAt) {
		rec.ExpiresAt = read.Record.ExpiresAt
	}
	plain, err := encode(rec)
	if err != nil {
		return nil, fmt.Errorf("write session %q: %w", rec.ID, err)
	}
	kept, err := decode(plain) // as it will be read again, and shared with nobody who could change it
	if err != nil {
		return nil, fmt.Errorf("write session %q: %w", rec.ID, err)
	}
	reading := m.cache.Expect(read.Name, time.Now())
	defer reading.Forget()
	e.Sealed, e.Indices, e.ExpiresAt = m.keys.Seal(e.Name, plain), indices(rec), kept.ExpiresAt
	err = m.records.Update(ctx, e)
	if err != nil {
		m.cache.Drop(read.Name) // it may have been written all the same
	}
	switch {
	case errors.Is(err, storage.ErrNotFound):
		return nil, ErrEnded
	case errors.Is(err, storage.ErrConflict):
		return nil, err
	case err != nil:
		return nil, Unavailable(err)
	}
	s := &Session{Name: read.Name, Version: e.Version + 1, Record: kept, IdleExpires: read.IdleExpires, LastActive: read.LastActive}
	m.met(s)
	m.cache.Changed(s.Name, s.Version)
	reading.Put(s, s.Version, len(e.Sealed))
	m.hub.changed(s)
	return s, nil
}
