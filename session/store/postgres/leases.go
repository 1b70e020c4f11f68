package postgres

import (
	"context"
	"time"
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

// Acquire implements session.Store.
func (s *Store) Acquire(ctx context.Context, key, holder string, ttl time.Duration) (bool, error) {
	n, err := s.exec(ctx, `
		INSERT INTO leases (key, holder, until) VALUES ($1, $2, `+clock+` + $3)
		ON CONFLICT (key) DO UPDATE SET holder = $2, until = `+clock+` + $3 WHERE leases.until <= `+clock, key, holder, ttl.Milliseconds())
	return n == 1, err
}

// Release implements session.Store.
func (s *Store) Release(ctx context.Context, key, holder string) error {
	_, err := s.exec(ctx, `DELETE FROM leases WHERE key = $1 AND holder = $2`, key, holder)
	return err
}
