package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"time"

	"github.com/cloakroom/cloakroom/session"
)

// Create implements session.Store.
func (s *Store) Create(ctx context.Context, e session.Entry) error {
	return s.transact(ctx, func(tx *sql.Tx) error {
		res, err := tx.ExecContext(ctx, `
			INSERT INTO sessions (name, version, sealed, provider, created_at, expires_at, idle_expires, last_active)
			SELECT ?1, 1, ?2, ?3, ?4, ?5, ?6, ?7 WHERE NOT EXISTS (SELECT 1 FROM outbox WHERE id = ?1)
			ON CONFLICT DO NOTHING`,
			e.Name, e.Sealed, e.Provider, ms(e.CreatedAt), ms(e.ExpiresAt), ms(e.IdleExpires), ms(e.LastActive))
		if err != nil {
			return err
		}
		if n, err := res.RowsAffected(); err != nil || n == 0 {
			return errors.Join(err, session.ErrExists)
		}
		return index(ctx, tx, e)
	})
}

// Load implements session.Store.
func (s *Store) Load(ctx context.Context, name session.Name) (session.Entry, error) {
	e := session.Entry{Name: name}
	var created, expires, idle, active int64
	err := s.read.QueryRowContext(ctx, `
		SELECT version, sealed, provider, created_at, expires_at, idle_expires, last_active FROM sessions WHERE name = ?`, name).
		Scan(&e.Version, &e.Sealed, &e.Provider, &created, &expires, &idle, &active)
	if errors.Is(err, sql.ErrNoRows) {
		return session.Entry{}, session.ErrNotFound
	}
	if err != nil {
		return session.Entry{}, err
	}
	e.CreatedAt, e.ExpiresAt, e.IdleExpires, e.LastActive = at(created), at(expires), at(idle), at(active)
	return e, nil
}

// Update implements session.Store.
func (s *Store) Update(ctx context.Context, e session.Entry) error {
	return s.transact(ctx, func(tx *sql.Tx) error {
		var version uint64
		err := tx.QueryRowContext(ctx, "SELECT version FROM sessions WHERE name = ?", e.Name).Scan(&version)
		switch {
		case errors.Is(err, sql.ErrNoRows):
			return session.ErrNotFound
		case err != nil:
			return err
		case version != e.Version:
			return session.ErrConflict
		}
		if _, err := tx.ExecContext(ctx, "UPDATE sessions SET version = version + 1, sealed = ?, expires_at = ? WHERE name = ?",
			e.Sealed, ms(e.ExpiresAt), e.Name); err != nil {
			return err
		}
		if _, err := tx.ExecContext(ctx, "DELETE FROM session_index WHERE name = ?", e.Name); err != nil {
			return err
		}
		return index(ctx, tx, e)
	})
}

// index writes the keys that a record is found by.
func index(ctx context.Context, tx *sql.Tx, e session.Entry) error {
	for _, k := range e.Indices {
		if _, err := tx.ExecContext(ctx, "INSERT OR IGNORE INTO session_index (key, name) VALUES (?, ?)", k, e.Name); err != nil {
			return err
		}
	}
	return nil
}

// Touch implements session.Store.
func (s *Store) Touch(ctx context.Context, name session.Name, lastActive, idleExpires time.Time) error {
	res, err := s.write.ExecContext(ctx, `
		UPDATE sessions SET last_active = max(last_active, ?), idle_expires = max(idle_expires, ?) WHERE name = ?`,
		ms(lastActive), ms(idleExpires), name)
	if err != nil {
		return err
	}
	if n, err := res.RowsAffected(); err != nil || n == 0 {
		return errors.Join(err, session.ErrNotFound)
	}
	return nil
}

// End implements session.Store.
func (s *Store) End(ctx context.Context, name session.Name, reason session.Reason, at time.Time) error {
	return s.transact(ctx, func(tx *sql.Tx) error { return end(ctx, tx, name, reason, at) })
}

// end moves a record, as it is now, into the outbox.
func end(ctx context.Context, tx *sql.Tx, name session.Name, reason session.Reason, at time.Time) error {
	res, err := tx.ExecContext(ctx, `
		INSERT INTO outbox (id, origin, provider, reason, sealed, ended_at, not_before)
		SELECT name, name, provider, ?1, sealed, ?2, ?2 FROM sessions WHERE name = ?3`, reason, ms(at), name)
	if err != nil {
		return err
	}
	if n, err := res.RowsAffected(); err != nil || n == 0 {
		return errors.Join(err, session.ErrNotFound)
	}
	_, err = tx.ExecContext(ctx, "DELETE FROM sessions WHERE name = ?", name)
	return err
}

// EndExpired implements session.Store. Marks that have served go with it.
func (s *Store) EndExpired(ctx context.Context, now time.Time, limit int) ([]session.Name, error) {
	var due []session.Name
	err := s.transact(ctx, func(tx *sql.Tx) (err error) {
		due, err = names(tx.QueryContext(ctx, "SELECT name FROM sessions WHERE due_at <= ? ORDER BY due_at LIMIT ?", ms(now), limit))
		if err != nil {
			return err
		}
		for _, n := range due {
			if err := end(ctx, tx, n, session.ReasonExpired, now); err != nil {
				return err
			}
		}
		_, err = tx.ExecContext(ctx, "DELETE FROM marks WHERE until <= ?", ms(now))
		return err
	})
	if err != nil {
		return nil, err
	}
	return due, nil
}

// Find implements session.Store.
func (s *Store) Find(ctx context.Context, key string) ([]session.Name, error) {
	return names(s.read.QueryContext(ctx, "SELECT name FROM session_index WHERE key = ? ORDER BY name", key))
}

// List implements session.Store.
func (s *Store) List(ctx context.Context, after session.Name, limit int) ([]session.Entry, error) {
	rows, err := s.read.QueryContext(ctx, `
		SELECT name, version, provider, created_at, expires_at, idle_expires, last_active FROM sessions
		WHERE name > ? ORDER BY name LIMIT ?`, after, limit)
	return collect(rows, err, func(rows *sql.Rows) (e session.Entry, err error) {
		var created, expires, idle, active int64
		err = rows.Scan(&e.Name, &e.Version, &e.Provider, &created, &expires, &idle, &active)
		e.CreatedAt, e.ExpiresAt, e.IdleExpires, e.LastActive = at(created), at(expires), at(idle), at(active)
		return e, err
	})
}

// Count implements session.Store.
func (s *Store) Count(ctx context.Context) (n int, err error) {
	err = s.read.QueryRowContext(ctx, "SELECT count(*) FROM sessions").Scan(&n)
	return n, err
}

func names(rows *sql.Rows, err error) ([]session.Name, error) {
	return collect(rows, err, func(rows *sql.Rows) (n session.Name, err error) {
		err = rows.Scan(&n)
		return n, err
	})
}

// collect reads all rows, scan by scan.
func collect[T any](rows *sql.Rows, err error, scan func(*sql.Rows) (T, error)) ([]T, error) {
	if err != nil {
		return nil, err
	}
	defer rows.Close() // rows.Err below says what went wrong
	var all []T
	for rows.Next() {
		v, err := scan(rows)
		if err != nil {
			return nil, err
		}
		all = append(all, v)
	}
	return all, rows.Err()
}

// ms and at turn times into the store's milliseconds and back; the zero time is 0.
func ms(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMilli()
}

func at(ms int64) time.Time {
	if ms == 0 {
		return time.Time{}
	}
	return time.UnixMilli(ms)
}
