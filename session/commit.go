package session

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/cloakroom/cloakroom/keys"
	"github.com/cloakroom/cloakroom/session/storage"
)

// maxCommitTries bounds how often one write is tried while others write, too. One writer succeeds
// in each round, so even many writers need fewer rounds.
const maxCommitTries = 50

// Commit applies change to a copy of the newest record and writes it. If something else was written
// in the meantime, it applies change again, to the then newest record. An error of change ends
// Commit, which returns it unchanged. change may be called several times. It must replace slices
// instead of writing into them. It can make the session end earlier, but never later. ErrEnded
// means that the session is gone for good; the caller must then revoke any tokens that change would
// have stored. After an error that is ErrUnavailable the record may or may not have been written.
func (m *Manager) Commit(ctx context.Context, s *Session, change func(*Record) error) (*Session, error) {
	for range maxCommitTries {
		written, err := m.tryCommit(ctx, s.Name, change)
		if !errors.Is(err, storage.ErrConflict) {
			return written, err
		}
	}
	return nil, Unavailable(fmt.Errorf("write session %q: %w", s.Record.ID, storage.ErrConflict))
}

// tryCommit reads, changes and writes the record once. storage.ErrConflict means that another
// writer was faster.
func (m *Manager) tryCommit(
	ctx context.Context, name Name, change func(*Record) error,
) (*Session, error) {
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
func (m *Manager) write(
	ctx context.Context, e storage.Entry, read *Session, rec *Record,
) (*Session, error) {
	rec.ID, rec.LogoutID, rec.Provider = read.Record.ID, read.Record.LogoutID, read.Record.Provider
	rec.CreatedAt = read.Record.CreatedAt
	if rec.ExpiresAt.After(read.Record.ExpiresAt) {
		rec.ExpiresAt = read.Record.ExpiresAt
	}
	plain, err := encode(rec)
	if err != nil {
		return nil, fmt.Errorf("write session %q: %w", rec.ID, err)
	}
	kept, err := decode(plain) // a copy that shares nothing with the caller, as a reader would get it
	if err != nil {
		return nil, fmt.Errorf("write session %q: %w", rec.ID, err)
	}
	reading := m.cache.Expect(read.Name, time.Now())
	defer reading.Forget()
	e.Sealed, e.Indices, e.ExpiresAt = m.keys.Seal(e.Name, plain), indices(rec), kept.ExpiresAt
	err = m.records.Update(ctx, e)
	if err != nil {
		m.cache.Drop(read.Name) // the record may have been written despite the error
	}
	switch {
	case errors.Is(err, storage.ErrNotFound):
		return nil, ErrEnded
	case errors.Is(err, storage.ErrConflict):
		return nil, err
	case err != nil:
		return nil, Unavailable(err)
	}
	s := &Session{
		Name: read.Name, Version: e.Version + 1, Record: kept,
		IdleExpires: read.IdleExpires, LastActive: read.LastActive,
	}
	m.remember(s)
	m.cache.Changed(s.Name, s.Version)
	reading.Put(s, s.Version, len(e.Sealed))
	m.broker.changed(s)
	return s, nil
}
