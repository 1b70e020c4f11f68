package sqlite

import (
	"context"
	"database/sql"
	"fmt"
	"slices"
)

// statements are all statements of the store. They are prepared once, because parsing most of them
// costs more than running them.
type statements struct {
	ping, load, find, list, count, revocations, pending, marked          *sql.Stmt
	create, update, exists, unindex, index, touch, expired, move, remove *sql.Stmt
	enqueue, due, lease, retry, done                                     *sql.Stmt
	mark, unmark, acquire, release, unlease, keep, take                  *sql.Stmt
}

// A preparation says which query to prepare, and where to put the statement.
type preparation struct {
	into  **sql.Stmt
	query string
}

// prepare prepares all statements: those that read on the connections for reading, all others on
// the one that writes.
func (s *Store) prepare(ctx context.Context) error {
	if err := prepareOn(ctx, s.read, s.reads()); err != nil {
		return err
	}
	writes := slices.Concat(s.recordWrites(), s.outboxWrites(), s.markWrites())
	return prepareOn(ctx, s.write, writes)
}

func prepareOn(ctx context.Context, db *sql.DB, all []preparation) error {
	for _, p := range all {
		var err error
		if *p.into, err = db.PrepareContext(ctx, p.query); err != nil {
			return fmt.Errorf("prepare %q: %w", p.query, err)
		}
	}
	return nil
}

func (s *Store) reads() []preparation {
	return []preparation{
		{&s.ping, `SELECT count(*) FROM (SELECT 1 FROM sessions LIMIT 1)`},
		{&s.load, `
			SELECT version, provider, created_at, expires_at, idle_expires, last_active, sealed
			FROM sessions WHERE name = ?`},
		{&s.find, `
			SELECT name FROM session_index JOIN sessions ON sessions.id = session_index.session
			WHERE key = ? ORDER BY name`},
		{&s.list, `
			SELECT name, version, provider, created_at, expires_at, idle_expires, last_active,
				substr(sealed, 1, 5)
			FROM sessions WHERE name > ? ORDER BY name LIMIT ?`},
		{&s.count, `SELECT count(*) FROM sessions`},
		{&s.revocations, `
			SELECT id, origin, provider, reason, ended_at, not_before, attempts, last_error,
				substr(sealed, 1, 5)
			FROM outbox ORDER BY ended_at, id LIMIT ?`},
		{&s.pending, `SELECT count(*) FROM outbox`},
		{&s.marked, `SELECT EXISTS (SELECT 1 FROM marks WHERE key = ? AND until > ?)`},
	}
}

func (s *Store) recordWrites() []preparation {
	return []preparation{
		{&s.create, `
			INSERT INTO sessions
				(name, version, provider, created_at, expires_at, idle_expires, last_active, sealed)
			SELECT ?1, 1, ?2, ?3, ?4, ?5, ?6, ?7
			WHERE NOT EXISTS (SELECT 1 FROM outbox WHERE id = ?1)
			ON CONFLICT DO NOTHING`},
		{&s.update, `
			UPDATE sessions SET version = version + 1, expires_at = ?, sealed = ?
			WHERE name = ? AND version = ?`},
		{&s.exists, `SELECT EXISTS (SELECT 1 FROM sessions WHERE name = ?)`},
		{&s.unindex, `
			DELETE FROM session_index WHERE session = (SELECT id FROM sessions WHERE name = ?1)
			AND key NOT IN (SELECT value FROM json_each(?2))`},
		{&s.index, `
			INSERT OR IGNORE INTO session_index (key, session)
			SELECT value, (SELECT id FROM sessions WHERE name = ?1) FROM json_each(?2)`},
		{&s.touch, `
			UPDATE sessions
			SET last_active = max(last_active, ?), idle_expires = max(idle_expires, ?)
			WHERE name = ?`},
		{&s.expired, `SELECT name FROM sessions WHERE due_at <= ? ORDER BY due_at LIMIT ?`},
		{&s.move, `
			INSERT INTO outbox (id, origin, provider, reason, ended_at, not_before, sealed)
			SELECT name, name, provider, ?1, ?2, ?2, sealed FROM sessions WHERE name = ?3`},
		{&s.remove, `DELETE FROM sessions WHERE name = ?`},
	}
}

func (s *Store) outboxWrites() []preparation {
	return []preparation{
		{&s.enqueue, `
			INSERT INTO outbox (id, origin, provider, reason, ended_at, not_before, sealed)
			VALUES (?, ?, ?, ?, ?, ?, ?)
			ON CONFLICT DO NOTHING`},
		{&s.due, `
			SELECT id, origin, provider, reason, ended_at, not_before, attempts, last_error, sealed
			FROM outbox WHERE not_before <= ? ORDER BY not_before, row LIMIT ?`},
		{&s.lease, `UPDATE outbox SET not_before = ? WHERE id = ?`},
		{&s.retry, `
			UPDATE outbox SET not_before = ?, attempts = attempts + 1, last_error = ?
			WHERE id = ?`},
		{&s.done, `DELETE FROM outbox WHERE id = ?`},
	}
}

func (s *Store) markWrites() []preparation {
	return []preparation{
		{&s.mark, `
			INSERT INTO marks (key, until) VALUES (?1, ?2)
			ON CONFLICT (key) DO UPDATE SET until = ?2 WHERE until <= ?3`},
		{&s.unmark, `DELETE FROM marks WHERE until <= ?`},
		{&s.acquire, `
			INSERT INTO leases (key, holder, until) VALUES (?1, ?2, ?3)
			ON CONFLICT (key) DO UPDATE SET holder = ?2, until = ?3 WHERE until <= ?4`},
		{&s.release, `DELETE FROM leases WHERE key = ? AND holder = ?`},
		{&s.keep, `INSERT INTO leases (key, holder, until) VALUES (?1, ?2, ?3)`},
		{&s.take, `DELETE FROM leases WHERE key = ? RETURNING holder, until`},
		{&s.unlease, `DELETE FROM leases WHERE until <= ?`},
	}
}
