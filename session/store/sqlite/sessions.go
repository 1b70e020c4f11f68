package sqlite

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"time"

	"github.com/cloakroom/cloakroom/session/storage"
)

// Create implements storage.Records.
func (s *Store) Create(ctx context.Context, e storage.Entry) error {
	return s.transact(ctx, func(tx *sql.Tx) error {
		res, err := tx.StmtContext(ctx, s.create).ExecContext(ctx,
			e.Name, e.Provider, ms(e.CreatedAt), ms(e.ExpiresAt), ms(e.IdleExpires),
			ms(e.LastActive), e.Sealed)
		if err := oneRow(res, err, storage.ErrExists); err != nil {
			return err
		}
		return s.writeIndex(ctx, tx, e)
	})
}

// Load implements storage.Records.
func (s *Store) Load(ctx context.Context, name string) (storage.Entry, error) {
	e := storage.Entry{Name: name}
	var created, expires, idle, active int64
	err := s.load.QueryRowContext(ctx, name).
		Scan(&e.Version, &e.Provider, &created, &expires, &idle, &active, &e.Sealed)
	if errors.Is(err, sql.ErrNoRows) {
		return storage.Entry{}, storage.ErrNotFound
	}
	if err != nil {
		return storage.Entry{}, err
	}
	e.CreatedAt, e.ExpiresAt = at(created), at(expires)
	e.IdleExpires, e.LastActive = at(idle), at(active)
	return e, nil
}

// Update implements storage.Records.
func (s *Store) Update(ctx context.Context, e storage.Entry) error {
	return s.transact(ctx, func(tx *sql.Tx) error {
		res, err := tx.StmtContext(ctx, s.update).
			ExecContext(ctx, ms(e.ExpiresAt), e.Sealed, e.Name, int64(e.Version))
		err = oneRow(res, err, storage.ErrConflict)
		if errors.Is(err, storage.ErrConflict) {
			return s.conflictOrGone(ctx, tx, e.Name)
		}
		if err != nil {
			return err
		}
		return s.writeIndex(ctx, tx, e)
	})
}

// conflictOrGone says why an update found no record at the expected version.
func (s *Store) conflictOrGone(ctx context.Context, tx *sql.Tx, name string) error {
	var there bool
	if err := tx.StmtContext(ctx, s.exists).QueryRowContext(ctx, name).Scan(&there); err != nil {
		return err
	}
	if there {
		return storage.ErrConflict
	}
	return storage.ErrNotFound
}

// writeIndex replaces the keys of e's record in the index. Keys that stay are not written again.
func (s *Store) writeIndex(ctx context.Context, tx *sql.Tx, e storage.Entry) error {
	keys, err := json.Marshal(append([]string{}, e.Indices...)) // never null
	if err != nil {
		return err
	}
	for _, st := range []*sql.Stmt{s.unindex, s.index} {
		if _, err := tx.StmtContext(ctx, st).ExecContext(ctx, e.Name, string(keys)); err != nil {
			return err
		}
	}
	return nil
}

// Touch implements storage.Records.
func (s *Store) Touch(ctx context.Context, name string, lastActive, idleExpires time.Time) error {
	res, err := s.touch.ExecContext(ctx, ms(lastActive), ms(idleExpires), name)
	return oneRow(res, err, storage.ErrNotFound)
}

// End implements storage.Records.
func (s *Store) End(ctx context.Context, name, reason string, at time.Time) error {
	return s.transact(ctx, func(tx *sql.Tx) error { return s.end(ctx, tx, name, reason, at) })
}

// end moves a record, in its present state, into the outbox.
func (s *Store) end(ctx context.Context, tx *sql.Tx, name, reason string, at time.Time) error {
	res, err := tx.StmtContext(ctx, s.move).ExecContext(ctx, reason, ms(at), name)
	if err := oneRow(res, err, storage.ErrNotFound); err != nil {
		return err
	}
	_, err = tx.StmtContext(ctx, s.remove).ExecContext(ctx, name)
	return err
}

// EndExpired implements storage.Records. It also removes expired marks and leases.
func (s *Store) EndExpired(
	ctx context.Context, reason string, now time.Time, limit int,
) ([]string, error) {
	var due []string
	err := s.transact(ctx, func(tx *sql.Tx) (err error) {
		due, err = names(tx.StmtContext(ctx, s.expired).QueryContext(ctx, ms(now), limit))
		if err != nil {
			return err
		}
		for _, n := range due {
			if err := s.end(ctx, tx, n, reason, now); err != nil {
				return err
			}
		}
		if _, err = tx.StmtContext(ctx, s.unmark).ExecContext(ctx, ms(now)); err != nil {
			return err
		}
		_, err = tx.StmtContext(ctx, s.unlease).ExecContext(ctx, ms(time.Now()))
		return err
	})
	if err != nil {
		return nil, err
	}
	return due, nil
}

// Find implements storage.Finder.
func (s *Store) Find(ctx context.Context, key string) ([]string, error) {
	return names(s.find.QueryContext(ctx, key))
}

// List implements storage.Finder.
func (s *Store) List(ctx context.Context, after string, limit int) ([]storage.Entry, error) {
	rows, err := s.list.QueryContext(ctx, after, limit)
	return collect(rows, err, func(rows *sql.Rows) (e storage.Entry, err error) {
		var created, expires, idle, active int64
		err = rows.Scan(
			&e.Name, &e.Version, &e.Provider, &created, &expires, &idle, &active, &e.Head,
		)
		e.CreatedAt, e.ExpiresAt = at(created), at(expires)
		e.IdleExpires, e.LastActive = at(idle), at(active)
		return e, err
	})
}

// Count implements storage.Finder.
func (s *Store) Count(ctx context.Context) (n int, err error) {
	err = s.count.QueryRowContext(ctx).Scan(&n)
	return n, err
}

// oneRow returns none if a write changed no row.
func oneRow(res sql.Result, err, none error) error {
	if err != nil {
		return err
	}
	n, err := res.RowsAffected()
	if err != nil {
		return err
	}
	if n == 0 {
		return none
	}
	return nil
}

func names(rows *sql.Rows, err error) ([]string, error) {
	return collect(rows, err, func(rows *sql.Rows) (n string, err error) {
		err = rows.Scan(&n)
		return n, err
	})
}

// collect scans all rows.
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
