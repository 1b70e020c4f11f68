package redis

import (
	"context"
	"time"

	"github.com/redis/rueidis"

	"github.com/cloakroom/cloakroom/session/storage"
)

// Keep implements storage.Marks. Redis deletes the value when it expires.
func (s *Store) Keep(ctx context.Context, key string, sealed []byte, ttl time.Duration) error {
	c, err := s.connected(ctx)
	if err != nil {
		return err
	}
	command := c.B().Set().Key(s.keys.kept(key)).Value(rueidis.BinaryString(sealed)).
		PxMilliseconds(ttl.Milliseconds()).Build()
	return c.Do(ctx, command).Error()
}

// Take implements storage.Marks. It does without GETDEL, which the ACL rule of an older build does
// not allow.
func (s *Store) Take(ctx context.Context, key string) ([]byte, error) {
	c, err := s.connected(ctx)
	if err != nil {
		return nil, err
	}
	sealed, err := scriptTake.Exec(ctx, c, []string{s.keys.kept(key)}, nil).AsBytes()
	if rueidis.IsRedisNil(err) {
		return nil, storage.ErrNotFound
	}
	return sealed, err
}
