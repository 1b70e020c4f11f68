package redis

import (
	"context"
	"time"

	"github.com/redis/rueidis"

	"github.com/cloakroom/cloakroom/session/storage"
)

// Keep implements storage.Marks. Redis drops it when its time is over.
func (s *Store) Keep(ctx context.Context, key string, sealed []byte, ttl time.Duration) error {
	c, err := s.connected(ctx)
	if err != nil {
		return err
	}
	return c.Do(ctx, c.B().Set().Key(s.keys.kept(key)).Value(rueidis.BinaryString(sealed)).PxMilliseconds(ttl.Milliseconds()).Build()).Error()
}

// Take implements storage.Marks. A user made by the ACL rule of an older build may not do GETDEL.
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
