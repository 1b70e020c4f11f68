package session

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"time"

	"github.com/cloakroom/cloakroom/session/storage"
)

// handleSize is the number of random bytes in a handle.
const handleSize = 32

// Deposit seals a value that is to be fetched once, and keeps it in the store until life has
// passed. It returns the handle to fetch it with: 256 random bits, of which the store knows only
// the hash. The error is ErrUnavailable if the store did not take the value.
func (m *Manager) Deposit(
	ctx context.Context, purpose string, plain []byte, life time.Duration,
) (handle string, err error) {
	b := make([]byte, handleSize)
	rand.Read(b) // never fails (crypto/rand, Go 1.24)
	handle = base64.RawURLEncoding.EncodeToString(b)
	key := storage.IndexKey(purpose, handle)
	if err := m.marks.Keep(ctx, key, m.keys.Seal(key, plain), life); err != nil {
		return "", Unavailable(err)
	}
	return handle, nil
}

// Fetch returns a value that Deposit was given for the same purpose, to exactly one of several
// callers. It returns ErrNoDeposit if there is no such value: it was fetched, has expired, or never
// existed. After any other result than ErrUnavailable the value is gone.
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
