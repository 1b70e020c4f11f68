package redis

import (
	"context"
	"strings"
	"time"

	"github.com/redis/rueidis"

	"github.com/cloakroom/cloakroom/session/storage"
)

// MarkOnce implements storage.Marks. It goes by the clock of Redis.
func (s *Store) MarkOnce(ctx context.Context, key string, until time.Time) (bool, error) {
	c, err := s.connected(ctx)
	if err != nil {
		return false, err
	}
	command := c.B().Set().Key(s.keys.mark(key)).Value("1").Nx().
		PxatMillisecondsTimestamp(until.UnixMilli()).Build()
	return wasSet(c.Do(ctx, command))
}

// Marked implements storage.Marks.
func (s *Store) Marked(ctx context.Context, key string) (bool, error) {
	c, err := s.connected(ctx)
	if err != nil {
		return false, err
	}
	return c.Do(ctx, c.B().Exists().Key(s.keys.mark(key)).Build()).AsBool()
}

// Acquire implements storage.Leases. The key lasts as long as a frozen holder keeps its lease.
// Nobody else gets the lease before its ttl is over. After it, a caller checks whether the holder's
// process still listens, and takes the lease over if it does not and nobody else was faster.
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

// acquire is Acquire without waiting for replicas.
func (s *Store) acquire(
	ctx context.Context, c *client, key, holder string, ttl time.Duration,
) (bool, error) {
	k, whole := s.keys.lease(key), ttl*storage.FrozenFactor
	value := s.process + " " + decimal((whole - ttl).Milliseconds()) + " " + holder
	args := []string{value, decimal(whole.Milliseconds())}
	late, err := scriptAcquire.Exec(ctx, c, []string{k}, args).ToString()
	if err != nil || late == "" {
		return false, err
	}
	if late == value {
		return true, nil
	}
	process, _, _ := strings.Cut(late, " ")
	if process != s.process { // a lease that this process left behind needs no check
		listens, err := s.listens(ctx, c, process)
		if err != nil || !s.detector.Gone(process, listens, ttl) {
			return false, err
		}
	}
	return scriptTakeOver.Exec(ctx, c, []string{k}, append(args, late)).AsBool()
}

// listens reports whether a process is subscribed to its beats. The subscription survives while the
// process is frozen, but not its death. Each node of a Cluster knows only its own subscribers. If a
// server refuses to tell, the lease lasts until its key expires.
func (s *Store) listens(ctx context.Context, c *client, process string) (bool, error) {
	for _, node := range c.Nodes() {
		command := node.B().PubsubNumsub().Channel(s.keys.beats(process)).Build()
		counts, err := node.Do(ctx, command).AsIntMap()
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

// wasSet reads the answer to SET NX, which is nil if the key existed.
func wasSet(r rueidis.RedisResult) (bool, error) {
	err := r.Error()
	if rueidis.IsRedisNil(err) {
		return false, nil
	}
	return err == nil, err
}
