package sqlite

import (
	"context"
	"database/sql"
	"fmt"
)

// statements are all that the store ever asks, prepared once: parsing costs more than most of them.
type statements struct {
	ping, load, find, list, count, revocations, pending, marked                                                          *sql.Stmt
	create, update, exists, unindex, index, touch, expired, move, remove, enqueue, due, lease, retry, done, mark, unmark *sql.Stmt
	acquire, release, unlease, keep, take                                                                                *sql.Stmt
}

func (s *Store) prepare(ctx context.Context) error {
	for _, st := range []struct {
		into  **sql.Stmt
		on    *sql.DB
		query string
	}{
		{&s.ping, s.read, `SELECT count(*) FROM (SELECT 1 FROM sessions LIMIT 1)`},
		{&s.load, s.read, `
			SELECT version, provider, created_at, expires_at, idle_expires, last_active, sealed FROM sessions WHERE name = ?`},
		{&s.find, s.read, `
			SELECT name FROM session_index JOIN sessions ON sessions.id = session_index.session WHERE key = ? ORDER BY name`},
		{&s.list, s.read, `
			SELECT name, version, provider, created_at, expires_at, idle_expires, last_active, substr(sealed, 1, 5) FROM sessions
			WHERE name > ? ORDER BY name LIMIT ?`},
		{&s.count, s.read, `SELECT count(*) FROM sessions`},
		{&s.revocations, s.read, `
			SELECT id, origin, provider, reason, ended_at, not_before, attempts, last_error, substr(sealed, 1, 5) FROM outbox ORDER BY ended_at, id LIMIT ?`},
		{&s.pending, s.read, `SELECT count(*) FROM outbox`},
		{&s.marked, s.read, `SELECT EXISTS (SELECT 1 FROM marks WHERE key = ? AND until > ?)`},

		{&s.create, s.write, `
			INSERT INTO sessions (name, version, provider, created_at, expires_at, idle_expires, last_active, sealed)
			SELECT ?1, 1, ?2, ?3, ?4, ?5, ?6, ?7 WHERE NOT EXISTS (SELECT 1 FROM outbox WHERE id = ?1)
			ON CONFLICT DO NOTHING`},
		{&s.update, s.write, `
			UPDATE sessions SET version = version + 1, expires_at = ?, sealed = ? WHERE name = ? AND version = ?`},
		{&s.exists, s.write, `SELECT EXISTS (SELECT 1 FROM sessions WHERE name = ?)`},
		{&s.unindex, s.write, `
			DELETE FROM session_index WHERE session = (SELECT id FROM sessions WHERE name = ?1)
			AND key NOT IN (SELECT value FROM json_each(?2))`},
		{&s.index, s.write, `
			INSERT OR IGNORE INTO session_index (key, session)
			SELECT value, (SELECT id FROM sessions WHERE name = ?1) FROM json_each(?2)`},
		{&s.touch, s.write, `
			UPDATE sessions SET last_active = max(last_active, ?), idle_expires = max(idle_expires, ?) WHERE name = ?`},
		{&s.expired, s.write, `SELECT name FROM sessions WHERE due_at <= ? ORDER BY due_at LIMIT ?`},
		{&s.move, s.write, `
			INSERT INTO outbox (id, origin, provider, reason, ended_at, not_before, sealed)
			SELECT name, name, provider, ?1, ?2, ?2, sealed FROM sessions WHERE name = ?3`},
		{&s.remove, s.write, `DELETE FROM sessions WHERE name = ?`},
		{&s.enqueue, s.write, `
			INSERT INTO outbox (id, origin, provider, reason, ended_at, not_before, sealed) VALUES (?, ?, ?, ?, ?, ?, ?)
			ON CONFLICT DO NOTHING`},
		{&s.due, s.write, `
			SELECT id, origin, provider, reason, ended_at, not_before, attempts, last_error, sealed FROM outbox
			WHERE not_before <= ? ORDER BY not_before, row LIMIT ?`},
		{&s.lease, s.write, `UPDATE outbox SET not_before = ? WHERE id = ?`},
		{&s.retry, s.write, `UPDATE outbox SET not_before = ?, attempts = attempts + 1, last_error = ? WHERE id = ?`},
		{&s.done, s.write, `DELETE FROM outbox WHERE id = ?`},
		{&s.mark, s.write, `
			INSERT INTO marks (key, until) VALUES (?1, ?2)
			ON CONFLICT (key) DO UPDATE SET until = ?2 WHERE until <= ?3`},
		{&s.unmark, s.write, `DELETE FROM marks WHERE until <= ?`},
		{&s.acquire, s.write, `
			INSERT INTO leases (key, holder, until) VALUES (?1, ?2, ?3)
			ON CONFLICT (key) DO UPDATE SET holder = ?2, until = ?3 WHERE until <= ?4`},
		{&s.release, s.write, `DELETE FROM leases WHERE key = ? AND holder = ?`},
		{&s.keep, s.write, `INSERT INTO leases (key, holder, until) VALUES (?1, ?2, ?3)`},
		{&s.take, s.write, `DELETE FROM leases WHERE key = ? RETURNING holder, until`},
		{&s.unlease, s.write, `DELETE FROM leases WHERE until <= ?`},
	} {
		var err error
		if *st.into, err = st.on.PrepareContext(ctx, st.query); err != nil {
			return fmt.Errorf("prepare %q: %w", st.query, err)
		}
	}
	return nil
}
