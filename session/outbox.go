package session

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
)

// Outbox is the store, for those who deliver and show revocations and remember spent logout tokens.
// Its errors are the store's own; see Unavailable.
func (m *Manager) Outbox() Store { return m.store }

// Enqueue puts tokens that no record holds into the outbox: those of a renewal that lost to a logout,
// or of a login that was refused after they were issued. Doing it again with the same tokens changes
// nothing. Its error is ErrUnavailable when the store did not take them; the caller keeps them then.
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
	return Unavailable(m.store.Enqueue(ctx, Revocation{
		ID: id, Origin: Name(id), Provider: rec.Provider, Reason: reason, Sealed: m.keys.Load().seal(Name(id), plain),
		EndedAt: now, NotBefore: now,
	}))
}

// tokensID is the same for the same tokens, and tells whoever reads the store nothing of them.
func (m *Manager) tokensID(rec *Record) string {
	mac := hmac.New(sha256.New, m.keys.Load().sealer.keys[0].secret)
	for _, part := range []string{rec.Provider, rec.RefreshToken.Reveal(), rec.AccessToken.Reveal()} {
		fmt.Fprintf(mac, "%d:%s", len(part), part)
	}
	return base64.RawURLEncoding.EncodeToString(mac.Sum(nil))
}

// OpenRevocation returns what an outbox item holds: a session's record as it was at the end, or what
// Enqueue was given. The error is ErrUnreadable when it broke, another when its key is not here.
func (m *Manager) OpenRevocation(r Revocation) (*Record, error) {
	plain, err := m.keys.Load().open(r.Origin, r.Sealed)
	if err != nil {
		return nil, fmt.Errorf("open revocation %q: %w", r.ID, err)
	}
	rec, err := m.decode(plain)
	if err != nil {
		return nil, fmt.Errorf("open revocation %q: %w", r.ID, err)
	}
	return rec, nil
}
