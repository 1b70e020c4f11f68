package memory

import (
	"context"
	"time"
)

// A lease says which holder has a lease, and until when.
type lease struct {
	holder string
	until  time.Time
}

// Acquire implements storage.Leases.
func (s *Store) Acquire(ctx context.Context, key, holder string, ttl time.Duration) (bool, error) {
	leave, err := s.enter(ctx)
	if err != nil {
		return false, err
	}
	defer leave()
	now := time.Now()
	if s.leases[key].until.After(now) {
		return false, nil
	}
	s.leases[key] = lease{holder, now.Add(ttl)}
	return true, nil
}

// Release implements storage.Leases.
func (s *Store) Release(ctx context.Context, key, holder string) error {
	leave, err := s.enter(ctx)
	if err != nil {
		return err
	}
	defer leave()
	if s.leases[key].holder == holder {
		delete(s.leases, key)
	}
	return nil
}
