package postgres

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/cloakroom/cloakroom/session/storage"
)

// Create implements storage.Records. Its first statement may wait for an End of the same name, and
// does not see what that put into the outbox in the meantime. The second statement, in the same
// transaction, does.
func (s *Store) Create(ctx context.Context, e storage.Entry) error {
	made, ended := 0, int64(0)
	err := s.run(ctx, func() error {
		both := &pgx.Batch{} // one round trip and, without a BEGIN in it, one transaction
		both.Queue(create,
			e.Name, e.Provider, ms(e.CreatedAt), ms(e.ExpiresAt), ms(e.IdleExpires),
			ms(e.LastActive), e.Sealed, keysOf(e)).
			QueryRow(func(row pgx.Row) error { return row.Scan(&made) })
		both.Queue(`
			DELETE FROM sessions
			WHERE name = $1 AND EXISTS (SELECT 1 FROM outbox WHERE id = $1)`, e.Name).
			Exec(func(tag pgconn.CommandTag) error {
				ended = tag.RowsAffected()
				return nil
			})
		return s.pool.SendBatch(ctx, both).Close()
	})
	if err == nil && (made == 0 || ended == 1) {
		return storage.ErrExists
	}
	return err
}

const create = `
	WITH made AS (
		INSERT INTO sessions
			(name, version, provider, created_at, expires_at, idle_expires, last_active, sealed)
		SELECT $1, 1, $2, $3, $4, $5, $6, $7 WHERE NOT EXISTS (SELECT 1 FROM outbox WHERE id = $1)
		ON CONFLICT DO NOTHING RETURNING name
	), indexed AS (
		INSERT INTO session_index (key, name) SELECT DISTINCT unnest($8::text[]), name FROM made
	)
	SELECT count(*) FROM made`

// keysOf returns the index keys of e. It never returns nil, which would become NULL.
func keysOf(e storage.Entry) []string { return append([]string{}, e.Indices...) }

// Load implements storage.Records.
func (s *Store) Load(ctx context.Context, name string) (storage.Entry, error) {
	found, err := query(ctx, s, entry, `
		SELECT name, version, provider, created_at, expires_at, idle_expires, last_active,
			sealed, NULL::bytea
		FROM sessions WHERE name = $1`, name)
	if err != nil {
		return storage.Entry{}, err
	}
	if len(found) == 0 {
		return storage.Entry{}, storage.ErrNotFound
	}
	return found[0], nil
}

// entry scans a row of sessions. The query selects either the sealed part or its head.
func entry(row pgx.CollectableRow) (e storage.Entry, err error) {
	var created, expires, idle, active int64
	err = row.Scan(
		&e.Name, &e.Version, &e.Provider, &created, &expires, &idle, &active, &e.Sealed, &e.Head,
	)
	e.CreatedAt, e.ExpiresAt = at(created), at(expires)
	e.IdleExpires, e.LastActive = at(idle), at(active)
	return e, err
}

// Update implements storage.Records. A statement that waited for a lock checks the version again,
// but its result does not show whether the row still exists: a second query does.
func (s *Store) Update(ctx context.Context, e storage.Entry) error {
	n, err := one[int](ctx, s, `
		WITH changed AS (
			UPDATE sessions SET version = version + 1, expires_at = $3, sealed = $4
			WHERE name = $1 AND version = $2 RETURNING name, version
		), unindexed AS (
			DELETE FROM session_index i USING changed c
			WHERE i.name = c.name AND i.key <> ALL ($5::text[])
		), indexed AS (
			INSERT INTO session_index (key, name)
			SELECT DISTINCT unnest($5::text[]), name FROM changed ON CONFLICT DO NOTHING
		)
		SELECT count(pg_notify($6, 'u ' || name || ' ' || version)) FROM changed`,
		e.Name, int64(e.Version), ms(e.ExpiresAt), e.Sealed, keysOf(e), s.channel)
	if err != nil || n == 1 {
		return err
	}
	there, err := one[bool](ctx, s, `SELECT EXISTS (SELECT 1 FROM sessions WHERE name = $1)`, e.Name)
	switch {
	case err != nil:
		return err
	case there:
		return storage.ErrConflict
	}
	return storage.ErrNotFound
}

// Touch implements storage.Records. It does not wait for the disk, so it holds the lock of NOTIFY
// only briefly. A crash of the server may lose the touches of its last second; later touches make
// up for them.
func (s *Store) Touch(ctx context.Context, name string, lastActive, idleExpires time.Time) error {
	n, err := one[int](ctx, s, `
		WITH touched AS (
			UPDATE sessions
			SET last_active = greatest(last_active, $2), idle_expires = greatest(idle_expires, $3)
			WHERE name = $1
			RETURNING name, last_active, idle_expires
		)
		SELECT count(pg_notify($4, 't ' || name || ' ' || last_active || ' ' || idle_expires))
		FROM touched, set_config('synchronous_commit', 'off', true)`,
		name, ms(lastActive), ms(idleExpires), s.channel)
	if err == nil && n == 0 {
		return storage.ErrNotFound
	}
	return err
}

// move is the rest of a statement that ends sessions. It follows WITH and a query, called due, that
// locks the rows and returns their names. Its parameters are $1 reason, $2 time and $3 channel.
const move = `, gone AS (
		DELETE FROM sessions s USING due WHERE s.name = due.name
		RETURNING s.name, s.provider, s.sealed
	), moved AS (
		INSERT INTO outbox (id, origin, provider, reason, ended_at, not_before, sealed)
		SELECT name, name, provider, $1, $2, $2, sealed FROM gone
	)
	SELECT name, pg_notify($3, 'e ' || name || ' ' || $1)::text FROM gone`

// End implements storage.Records.
func (s *Store) End(ctx context.Context, name, reason string, at time.Time) error {
	ended, err := query(ctx, s, firstColumn,
		`WITH due AS (SELECT name FROM sessions WHERE name = $4 FOR UPDATE)`+move,
		reason, ms(at), s.channel, name)
	if err == nil && len(ended) == 0 {
		return storage.ErrNotFound
	}
	return err
}

// EndExpired implements storage.Records. It also removes expired marks and leases.
func (s *Store) EndExpired(
	ctx context.Context, reason string, now time.Time, limit int,
) ([]string, error) {
	return query(ctx, s, firstColumn, `
		WITH spent AS (
			SELECT key FROM marks WHERE until <= $2 FOR UPDATE SKIP LOCKED
		), unmarked AS (
			DELETE FROM marks m USING spent WHERE m.key = spent.key
		), free AS (
			SELECT key FROM leases WHERE greatest(until, last) <= `+clock+` FOR UPDATE SKIP LOCKED
		), unleased AS (
			DELETE FROM leases l USING free WHERE l.key = free.key
		), due AS (
			SELECT name FROM sessions WHERE due_at <= $2
			ORDER BY due_at LIMIT $4 FOR UPDATE SKIP LOCKED
		)`+move,
		reason, ms(now), s.channel, limit)
}

// firstColumn scans the name and ignores the result of pg_notify.
func firstColumn(row pgx.CollectableRow) (name string, err error) {
	var notified string
	err = row.Scan(&name, &notified)
	return name, err
}

// Find implements storage.Finder.
func (s *Store) Find(ctx context.Context, key string) ([]string, error) {
	return query(ctx, s, pgx.RowTo[string],
		`SELECT name FROM session_index WHERE key = $1 ORDER BY name`, key)
}

// List implements storage.Finder.
func (s *Store) List(ctx context.Context, after string, limit int) ([]storage.Entry, error) {
	return query(ctx, s, entry, `
		SELECT name, version, provider, created_at, expires_at, idle_expires, last_active,
			NULL::bytea, substring(sealed FROM 1 FOR 5)
		FROM sessions WHERE name > $1 ORDER BY name LIMIT $2`, after, limit)
}

// Count implements storage.Finder. The count is exact and uses an index: a hundred thousand
// sessions take some tens of milliseconds.
func (s *Store) Count(ctx context.Context) (int, error) {
	return one[int](ctx, s, `SELECT count(*) FROM sessions`)
}
