package session

import (
	"context"
	"errors"
	"fmt"
)

// ErrUnreadable means that an item of the outbox does not open: it was altered, or its key is gone.
var ErrUnreadable = errors.New("sealed record does not open")

// Outbox is the store, for those who deliver the outbox or show it.
func (m *Manager) Outbox() Store { return m.store }

// Enqueue puts the tokens of a record that no store holds into the outbox: a renewal that lost to
// a logout, a login that was refused after the provider had issued tokens.
func (m *Manager) Enqueue(ctx context.Context, rec *Record, reason Reason) error {
	plain, err := encodeRecord(rec)
	if err != nil {
		return err
	}
	id := "unheld." + randomID()
	sealed, err := m.sealer.seal(Name(id), plain)
	if err != nil {
		return err
	}
	now := m.now()
	return Unavailable(m.store.Enqueue(ctx, Revocation{
		ID: id, Origin: Name(id), Provider: rec.Provider, Reason: reason, Sealed: sealed, EndedAt: now, NotBefore: now,
	}))
}

// OpenRevocation opens an item of the outbox; it returns ErrUnreadable for one that can't be.
func (m *Manager) OpenRevocation(r Revocation) (*Record, error) {
	plain, err := m.sealer.open(r.Origin, r.Sealed)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrUnreadable, err)
	}
	rec, err := decodeRecord(plain)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrUnreadable, err)
	}
	return rec, nil
}
