package postgres

import (
	"context"
	"time"

	"github.com/cloakroom/cloakroom/session"
)

// clock is the server's, in milliseconds: one for all replicas.
const clock = `(extract(epoch FROM clock_timestamp()) * 1000)::bigint`

// MarkOnce implements session.Store.
func (s *Store) MarkOnce(ctx context.Context, key string, until time.Time) (bool, error) {
	n, err := s.exec(ctx, `
		INSERT INTO marks (key, until) VALUES ($1, $2)
		ON CONFLICT (key) DO UPDATE SET until = $2 WHERE marks.until <= $3`, key, ms(until), ms(time.Now()))
	return n == 1, err
}

// Marked implements session.Store.
func (s *Store) Marked(ctx context.Context, key string) (bool, error) {
	return one[bool](ctx, s, `SELECT EXISTS (SELECT 1 FROM marks WHERE key = $1 AND until > $2)`, key, ms(time.Now()))
}

// listeners is the first half of the advisory locks by which a process shows that it is connected.
const listeners = 0x636c6f61

// Acquire implements session.Store. Within the ttl nobody else gets the lease. After it, whoever wants it gets it,
// unless the holder's process still listens: the advisory lock on its connection outlives its being frozen, and not its
// death.
func (s *Store) Acquire(ctx context.Context, key, holder string, ttl time.Duration) (bool, error) {
	n, err := s.exec(ctx, `
		INSERT INTO leases (key, holder, until, process, last) VALUES ($1, $2, `+clock+` + $3, $4, `+clock+` + $5)
		ON CONFLICT (key) DO UPDATE SET holder = $2, until = `+clock+` + $3, process = $4, last = `+clock+` + $5
		WHERE leases.until <= `+clock+` AND (leases.last <= `+clock+` OR leases.process = $4 OR NOT EXISTS (
			SELECT 1 FROM pg_locks
			WHERE locktype = 'advisory' AND classid = $6::int AND objid = leases.process AND objsubid = 2
				AND database = (SELECT oid FROM pg_database WHERE datname = current_database())))`,
		key, holder, ttl.Milliseconds(), s.process, ttl.Milliseconds()*session.FrozenFactor, listeners)
	return n == 1, err
}

// Release implements session.Store.
func (s *Store) Release(ctx context.Context, key, holder string) error {
	_, err := s.exec(ctx, `DELETE FROM leases WHERE key = $1 AND holder = $2`, key, holder)
	return err
}
