package sqlite

import (
	"context"
	"database/sql"
	"time"

	"github.com/cloakroom/cloakroom/session/storage"
)

// Enqueue implements storage.Outbox.
func (s *Store) Enqueue(ctx context.Context, r storage.Revocation) error {
	_, err := s.enqueue.ExecContext(ctx,
		r.ID, r.Origin, r.Provider, r.Reason, ms(r.EndedAt), ms(r.NotBefore), r.Sealed)
	return err
}

// Lease implements storage.Outbox.
func (s *Store) Lease(
	ctx context.Context, now time.Time, lease time.Duration, limit int,
) (due []storage.Revocation, err error) {
	err = s.transact(ctx, func(tx *sql.Tx) error {
		rows, err := tx.StmtContext(ctx, s.due).QueryContext(ctx, ms(now), limit)
		if due, err = collect(rows, err, revocation); err != nil {
			return err
		}
		for _, r := range due {
			_, err := tx.StmtContext(ctx, s.lease).ExecContext(ctx, ms(now.Add(lease)), r.ID)
			if err != nil {
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

// Retry implements storage.Outbox.
func (s *Store) Retry(ctx context.Context, id string, notBefore time.Time, lastError string) error {
	_, err := s.retry.ExecContext(ctx, ms(notBefore), lastError, id)
	return err
}

// Done implements storage.Outbox.
func (s *Store) Done(ctx context.Context, id string) error {
	_, err := s.done.ExecContext(ctx, id)
	return err
}

// Revocations implements storage.Outbox.
func (s *Store) Revocations(ctx context.Context, limit int) ([]storage.Revocation, int, error) {
	var pending int
	if err := s.pending.QueryRowContext(ctx).Scan(&pending); err != nil {
		return nil, 0, err
	}
	rows, err := s.revocations.QueryContext(ctx, limit)
	page, err := collect(rows, err, revocation)
	for i := range page {
		page[i].Head, page[i].Sealed = page[i].Sealed, nil // the query selects only the head
	}
	return page, pending, err
}

// revocation scans an item of the outbox.
func revocation(rows *sql.Rows) (r storage.Revocation, err error) {
	var ended, notBefore int64
	err = rows.Scan(
		&r.ID, &r.Origin, &r.Provider, &r.Reason,
		&ended, &notBefore, &r.Attempts, &r.LastError, &r.Sealed,
	)
	r.EndedAt, r.NotBefore = at(ended), at(notBefore)
	return r, err
}

// MarkOnce implements storage.Marks.
func (s *Store) MarkOnce(ctx context.Context, key string, until time.Time) (bool, error) {
	res, err := s.mark.ExecContext(ctx, key, ms(until), ms(time.Now()))
	if err != nil {
		return false, err
	}
	n, err := res.RowsAffected()
	return n == 1, err
}

// Marked implements storage.Marks.
func (s *Store) Marked(ctx context.Context, key string) (marked bool, err error) {
	err = s.marked.QueryRowContext(ctx, key, ms(time.Now())).Scan(&marked)
	return marked, err
}

// Acquire implements storage.Leases.
func (s *Store) Acquire(ctx context.Context, key, holder string, ttl time.Duration) (bool, error) {
	now := time.Now()
	res, err := s.acquire.ExecContext(ctx, key, holder, ms(now.Add(ttl)), ms(now))
	if err != nil {
		return false, err
	}
	n, err := res.RowsAffected()
	return n == 1, err
}

// Release implements storage.Leases.
func (s *Store) Release(ctx context.Context, key, holder string) error {
	_, err := s.release.ExecContext(ctx, key, holder)
	return err
}
