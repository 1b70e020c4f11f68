package redis

import (
	"context"
	"time"

	"github.com/redis/rueidis"
)

// MarkOnce implements session.Store. The clock is Redis'.
func (s *Store) MarkOnce(ctx context.Context, key string, until time.Time) (bool, error) {
	c, err := s.connected(ctx)
	if err != nil {
		return false, err
	}
	return taken(c.Do(ctx, c.B().Set().Key(s.keys.mark(key)).Value("1").Nx().PxatMillisecondsTimestamp(until.UnixMilli()).Build()))
}

// Marked implements session.Store.
func (s *Store) Marked(ctx context.Context, key string) (bool, error) {
	c, err := s.connected(ctx)
	if err != nil {
		return false, err
	}
	return c.Do(ctx, c.B().Exists().Key(s.keys.mark(key)).Build()).AsBool()
}

// Acquire implements session.Store.
func (s *Store) Acquire(ctx context.Context, key, holder string, ttl time.Duration) (bool, error) {
	c, err := s.connected(ctx)
	if err != nil {
		return false, err
	}
	return taken(c.Do(ctx, c.B().Set().Key(s.keys.lease(key)).Value(holder).Nx().PxMilliseconds(ttl.Milliseconds()).Build()))
}

// Release implements session.Store.
func (s *Store) Release(ctx context.Context, key, holder string) error {
	c, err := s.connected(ctx)
	if err != nil {
		return err
	}
	return scriptRelease.Exec(ctx, c, []string{s.keys.lease(key)}, []string{holder}).Error()
}

// taken reads the answer to SET NX: nothing when the key was there.
func taken(r rueidis.RedisResult) (bool, error) {
	err := r.Error()
	if rueidis.IsRedisNil(err) {
		return false, nil
	}
	return err == nil, err
}
