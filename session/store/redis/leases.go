package redis

import (
	"context"
	"strings"
	"time"

	"github.com/redis/rueidis"

	"github.com/cloakroom/cloakroom/session/storage"
)

// MarkOnce implements storage.Marks. The clock is Redis'.
func (s *Store) MarkOnce(ctx context.Context, key string, until time.Time) (bool, error) {
	c, err := s.connected(ctx)
	if err != nil {
		return false, err
	}
	return taken(c.Do(ctx, c.B().Set().Key(s.keys.mark(key)).Value("1").Nx().PxatMillisecondsTimestamp(until.UnixMilli()).Build()))
}

// Marked implements storage.Marks.
func (s *Store) Marked(ctx context.Context, key string) (bool, error) {
	c, err := s.connected(ctx)
	if err != nil {
		return false, err
	}
	return c.Do(ctx, c.B().Exists().Key(s.keys.mark(key)).Build()).AsBool()
}

// Acquire implements storage.Leases. The key lasts for as long as a frozen holder is waited for. Within the ttl nobody
// else gets it; after it, whoever wants it sees whether the holder's process still listens, and takes its place once that
// is gone, unless somebody was quicker.
func (s *Store) Acquire(ctx context.Context, key, holder string, ttl time.Duration) (bool, error) {
	c, err := s.connected(ctx)
	if err != nil {
		return false, err
	}
	got, err := s.acquire(ctx, c, key, holder, ttl)
	if err != nil || !got {
		return false, err
	}
	if err := s.replicated(ctx, c, s.keys.written(bucketOf(key))); err != nil {
		return false, err
	}
	return true, nil
}

// acquire is Acquire at the primary alone.
func (s *Store) acquire(ctx context.Context, c *client, key, holder string, ttl time.Duration) (bool, error) {
	k, whole := s.keys.lease(key), ttl*storage.FrozenFactor
	args := []string{s.process + " " + decimal((whole - ttl).Milliseconds()) + " " + holder, decimal(whole.Milliseconds())}
	late, err := scriptAcquire.Exec(ctx, c, []string{k}, args).ToString()
	if err != nil || late == "" {
		return false, err
	}
	if late == args[0] {
		return true, nil
	}
	process, _, _ := strings.Cut(late, " ")
	if process != s.process { // that one has left it behind
		listens, err := s.listens(ctx, c, process)
		if err != nil || !s.detector.Gone(process, listens, ttl) {
			return false, err
		}
	}
	return scriptTakeOver.Exec(ctx, c, []string{k}, append(args, late)).AsBool()
}

// listens reports whether a process is connected to the store. The connection that it listens over
// outlives its being frozen, and not its death. A Cluster's nodes each know their own subscribers only. A server that
// will not tell leaves the lease to its time.
func (s *Store) listens(ctx context.Context, c *client, process string) (bool, error) {
	for _, node := range c.Nodes() {
		counts, err := node.Do(ctx, node.B().PubsubNumsub().Channel(s.keys.beats(process)).Build()).AsIntMap()
		if _, refused := rueidis.IsRedisErr(err); refused {
			continue
		}
		if err != nil {
			return false, err
		}
		for _, n := range counts {
			if n > 0 {
				return true, nil
			}
		}
	}
	return false, nil
}

// Release implements storage.Leases.
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
