package session

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"time"

	"github.com/cloakroom/cloakroom/session/storage"
)

// handleSize is how many random bytes a handle has.
const handleSize = 32

// Deposit seals what is to be fetched once, and leaves it in the store until life has passed. It returns the handle to
// fetch it with: 256 random bits, of which the store knows only the hash. Its error is ErrUnavailable when the store
// did not take it.
func (m *Manager) Deposit(ctx context.Context, purpose string, plain []byte, life time.Duration) (handle string, err error) {
	b := make([]byte, handleSize)
	rand.Read(b) // never fails (crypto/rand, Go 1.24)
	handle = base64.RawURLEncoding.EncodeToString(b)
	key := storage.IndexKey(purpose, handle)
	if err := m.marks.Keep(ctx, key, m.keys.Seal(key, plain), life); err != nil {
		return "", Unavailable(err)
	}
	return handle, nil
}

// Fetch returns what Deposit was given for the same purpose, to exactly one of several callers. It is ErrNoDeposit when
// nothing lies there: fetched, out of time, or never there. It is gone after any answer but one that is ErrUnavailable.
func (m *Manager) Fetch(ctx context.Context, purpose, handle string) ([]byte, error) {
	key := storage.IndexKey(purpose, handle)
	sealed, err := m.marks.Take(ctx, key)
	if err != nil {
		if errors.Is(err, storage.ErrNotFound) {
			return nil, ErrNoDeposit
		}
		return nil, Unavailable(err)
	}
	return m.keys.Open(key, sealed)
}
