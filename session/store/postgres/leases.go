package postgres

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/cloakroom/cloakroom/session/storage"
)

// clock is the server's time in milliseconds. All replicas go by it.
const clock = `(extract(epoch FROM clock_timestamp()) * 1000)::bigint`

// MarkOnce implements storage.Marks. It goes by the server's clock.
func (s *Store) MarkOnce(ctx context.Context, key string, until time.Time) (bool, error) {
	n, err := s.exec(ctx, `
		INSERT INTO marks (key, until) VALUES ($1, $2)
		ON CONFLICT (key) DO UPDATE SET until = $2 WHERE marks.until <= `+clock, key, ms(until))
	return n == 1, err
}

// Marked implements storage.Marks.
func (s *Store) Marked(ctx context.Context, key string) (bool, error) {
	return one[bool](ctx, s,
		`SELECT EXISTS (SELECT 1 FROM marks WHERE key = $1 AND until > `+clock+`)`, key)
}

// listeners is the first half of the keys of the advisory locks that processes hold while they
// listen.
const listeners = 0x636c6f61

// A lateHolder is a process whose lease is past its ttl.
type lateHolder struct {
	Process int32
	Listens bool
}

// listening is an expression: whether the process that holds a lease holds its advisory lock.
const listening = `EXISTS (SELECT 1 FROM pg_locks
	WHERE locktype = 'advisory' AND classid = $2::int AND objid = leases.process AND objsubid = 2
		AND database = (SELECT oid FROM pg_database WHERE datname = current_database()))`

// Acquire implements storage.Leases. Nobody else gets the lease before its ttl is over. After it, a
// caller gets it if the holder's process is gone: the advisory lock on the holder's connection
// survives while the process is frozen, but not its death.
func (s *Store) Acquire(ctx context.Context, key, holder string, ttl time.Duration) (bool, error) {
	got, err := s.acquire(ctx, key, holder, ttl, s.process)
	if err != nil || got {
		return got, err
	}
	late, err := query(ctx, s, pgx.RowToStructByPos[lateHolder],
		`SELECT process, `+listening+` FROM leases WHERE key = $1 AND until <= `+clock,
		key, listeners)
	if err != nil || len(late) == 0 || !s.detector.Gone(late[0].Process, late[0].Listens, ttl) {
		return false, err
	}
	return s.acquire(ctx, key, holder, ttl, late[0].Process)
}

// acquire takes a lease that is free or has expired, or that is past its ttl and belongs to the
// process from.
func (s *Store) acquire(
	ctx context.Context, key, holder string, ttl time.Duration, from int32,
) (bool, error) {
	n, err := s.exec(ctx, `
		INSERT INTO leases (key, holder, until, process, last)
		VALUES ($1, $2, `+clock+` + $3, $4, `+clock+` + $5)
		ON CONFLICT (key) DO UPDATE
		SET holder = $2, until = `+clock+` + $3, process = $4, last = `+clock+` + $5
		WHERE leases.until <= `+clock+` AND (leases.last <= `+clock+` OR leases.process = $6)`,
		key, holder, ttl.Milliseconds(), s.process, ttl.Milliseconds()*storage.FrozenFactor, from)
	return n == 1, err
}

// Release implements storage.Leases.
func (s *Store) Release(ctx context.Context, key, holder string) error {
	_, err := s.exec(ctx, `DELETE FROM leases WHERE key = $1 AND holder = $2`, key, holder)
	return err
}
