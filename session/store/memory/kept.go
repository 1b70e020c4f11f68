package memory

import (
	"context"
	"slices"
	"time"

	"github.com/cloakroom/cloakroom/session/storage"
)

// A kept is a sealed value that Keep stored, and when it expires.
type kept struct {
	sealed []byte
	until  time.Time
}

// Keep implements storage.Marks.
func (s *Store) Keep(ctx context.Context, key string, sealed []byte, ttl time.Duration) error {
	leave, err := s.enter(ctx)
	if err != nil {
		return err
	}
	defer leave()
	s.kept[key] = kept{slices.Clone(sealed), time.Now().Add(ttl)}
	return nil
}

// Take implements storage.Marks.
func (s *Store) Take(ctx context.Context, key string) ([]byte, error) {
	leave, err := s.enter(ctx)
	if err != nil {
		return nil, err
	}
	defer leave()
	k, ok := s.kept[key]
	delete(s.kept, key)
	if !ok || !k.until.After(time.Now()) {
		return nil, storage.ErrNotFound
	}
	return k.sealed, nil
}
