package sqlite

import (
	"context"
	"database/sql"
	"time"

	"github.com/cloakroom/cloakroom/session"
)

// Enqueue implements session.Store.
func (s *Store) Enqueue(ctx context.Context, r session.Revocation) error {
	_, err := s.write.ExecContext(ctx, `
		INSERT INTO outbox (id, origin, provider, reason, sealed, ended_at, not_before) VALUES (?, ?, ?, ?, ?, ?, ?)
		ON CONFLICT DO NOTHING`, r.ID, r.Origin, r.Provider, r.Reason, r.Sealed, ms(r.EndedAt), ms(r.NotBefore))
	return err
}

// Lease implements session.Store.
func (s *Store) Lease(ctx context.Context, now time.Time, lease time.Duration, limit int) (due []session.Revocation, err error) {
	err = s.transact(ctx, func(tx *sql.Tx) error {
		rows, err := tx.QueryContext(ctx, `
			SELECT id, origin, provider, reason, sealed, ended_at, not_before, attempts, last_error FROM outbox
			WHERE not_before <= ? ORDER BY not_before, id LIMIT ?`, ms(now), limit)
		due, err = collect(rows, err, func(rows *sql.Rows) (r session.Revocation, err error) {
			var ended, notBefore int64
			err = rows.Scan(&r.ID, &r.Origin, &r.Provider, &r.Reason, &r.Sealed, &ended, &notBefore, &r.Attempts, &r.LastError)
			r.EndedAt, r.NotBefore = at(ended), at(notBefore)
			return r, err
		})
		if err != nil {
			return err
		}
		for _, r := range due {
			if _, err := tx.ExecContext(ctx, "UPDATE outbox SET not_before = ? WHERE id = ?", ms(now.Add(lease)), r.ID); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return due, nil
}

// Retry implements session.Store.
func (s *Store) Retry(ctx context.Context, id string, notBefore time.Time, lastError string) error {
	_, err := s.write.ExecContext(ctx, "UPDATE outbox SET not_before = ?, attempts = attempts + 1, last_error = ? WHERE id = ?",
		ms(notBefore), lastError, id)
	return err
}

// Done implements session.Store.
func (s *Store) Done(ctx context.Context, id string) error {
	_, err := s.write.ExecContext(ctx, "DELETE FROM outbox WHERE id = ?", id)
	return err
}

// Revocations implements session.Store.
func (s *Store) Revocations(ctx context.Context, limit int) ([]session.Revocation, int, error) {
	var pending int
	if err := s.read.QueryRowContext(ctx, "SELECT count(*) FROM outbox").Scan(&pending); err != nil {
		return nil, 0, err
	}
	rows, err := s.read.QueryContext(ctx, `
		SELECT id, origin, provider, reason, ended_at, not_before, attempts, last_error FROM outbox ORDER BY ended_at, id LIMIT ?`, limit)
	page, err := collect(rows, err, func(rows *sql.Rows) (r session.Revocation, err error) {
		var ended, notBefore int64
		err = rows.Scan(&r.ID, &r.Origin, &r.Provider, &r.Reason, &ended, &notBefore, &r.Attempts, &r.LastError)
		r.EndedAt, r.NotBefore = at(ended), at(notBefore)
		return r, err
	})
	return page, pending, err
}

// MarkOnce implements session.Store.
func (s *Store) MarkOnce(ctx context.Context, key string, until time.Time) (bool, error) {
	res, err := s.write.ExecContext(ctx, `
		INSERT INTO marks (key, until) VALUES (?, ?) ON CONFLICT (key) DO UPDATE SET until = excluded.until WHERE marks.until <= ?`,
		key, ms(until), ms(time.Now()))
	if err != nil {
		return false, err
	}
	n, err := res.RowsAffected()
	return n == 1, err
}

// Marked implements session.Store.
func (s *Store) Marked(ctx context.Context, key string) (marked bool, err error) {
	err = s.read.QueryRowContext(ctx, "SELECT EXISTS (SELECT 1 FROM marks WHERE key = ? AND until > ?)", key, ms(time.Now())).Scan(&marked)
	return marked, err
}
