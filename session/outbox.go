package session

import (
	"context"
	"fmt"

	"github.com/cloakroom/cloakroom/session/storage"
)

// Enqueue puts tokens that no record holds into the outbox: those of a renewal that lost to a
// logout, or of a login that was refused after they were issued. Repeating it with the same tokens
// changes nothing. The error is ErrUnavailable if the store did not take them; then the caller must
// keep them.
func (m *Manager) Enqueue(ctx context.Context, rec *Record, reason Reason) error {
	plain, err := encode(rec)
	if err != nil {
		return fmt.Errorf("seal revocation: %w", err)
	}
	if err := m.Know(ctx); err != nil {
		return fmt.Errorf("date revocation: %w", err)
	}
	id := "tokens-" + m.tokensID(rec)
	now := m.now()
	return Unavailable(m.outbox.Enqueue(ctx, storage.Revocation{
		ID: id, Origin: id, Provider: rec.Provider, Reason: string(reason),
		Sealed: m.keys.Seal(id, plain), EndedAt: now, NotBefore: now,
	}))
}

// tokensID is the same for the same tokens, and reveals nothing of them to readers of the store.
func (m *Manager) tokensID(rec *Record) string {
	return m.keys.Fingerprint(rec.Provider, rec.RefreshToken.Reveal(), rec.AccessToken.Reveal())
}

// OpenRevocation returns the content of an outbox item: a session's record as it was at the end, or
// what Enqueue was given. The error is keys.ErrUnreadable if the item is corrupt, and another if
// its key is missing.
func (m *Manager) OpenRevocation(r storage.Revocation) (*Record, error) {
	plain, err := m.keys.Open(r.Origin, r.Sealed)
	if err != nil {
		return nil, fmt.Errorf("open revocation %q: %w", r.ID, err)
	}
	rec, err := m.decode(plain)
	if err != nil {
		return nil, fmt.Errorf("open revocation %q: %w", r.ID, err)
	}
	return rec, nil
}
