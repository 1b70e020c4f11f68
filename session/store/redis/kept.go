package redis

import (
	"context"
	"time"

	"github.com/redis/rueidis"

	"github.com/cloakroom/cloakroom/session"
)

// Keep implements session.Store. Redis drops it when its time is over.
func (s *Store) Keep(ctx context.Context, key string, sealed []byte, ttl time.Duration) error {
	c, err := s.connected(ctx)
	if err != nil {
		return err
	}
	return c.Do(ctx, c.B().Set().Key(s.keys.kept(key)).Value(rueidis.BinaryString(sealed)).PxMilliseconds(ttl.Milliseconds()).Build()).Error()
}

// Take implements session.Store.
func (s *Store) Take(ctx context.Context, key string) ([]byte, error) {
	c, err := s.connected(ctx)
	if err != nil {
		return nil, err
	}
	sealed, err := c.Do(ctx, c.B().Getdel().Key(s.keys.kept(key)).Build()).AsBytes()
	if rueidis.IsRedisNil(err) {
		return nil, session.ErrNotFound
	}
	return sealed, err
}
