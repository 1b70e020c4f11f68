package postgres

import (
	"context"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/cloakroom/cloakroom/session/storage"
)

// Enqueue implements storage.Outbox.
func (s *Store) Enqueue(ctx context.Context, r storage.Revocation) error {
	_, err := s.exec(ctx, `
		INSERT INTO outbox (id, origin, provider, reason, ended_at, not_before, sealed)
		VALUES ($1, $2, $3, $4, $5, $6, $7)
		ON CONFLICT DO NOTHING`,
		r.ID, r.Origin, r.Provider, r.Reason, ms(r.EndedAt), ms(r.NotBefore), r.Sealed)
	return err
}

// Lease implements storage.Outbox. It skips items that another worker is about to lease.
func (s *Store) Lease(
	ctx context.Context, now time.Time, lease time.Duration, limit int,
) ([]storage.Revocation, error) {
	return query(ctx, s, revocation, `
		WITH due AS (
			SELECT id FROM outbox WHERE not_before <= $1
			ORDER BY not_before LIMIT $3 FOR UPDATE SKIP LOCKED
		)
		UPDATE outbox o SET not_before = $2 FROM due WHERE o.id = due.id
		RETURNING o.id, o.origin, o.provider, o.reason, o.ended_at, o.not_before, o.attempts,
			o.last_error, o.sealed, NULL::bytea`,
		ms(now), ms(now.Add(lease)), limit)
}

// Retry implements storage.Outbox. It removes from the error what PostgreSQL does not accept as
// text: it may quote a provider.
func (s *Store) Retry(
	ctx context.Context, id string, notBefore time.Time, lastError string,
) error {
	lastError = strings.ToValidUTF8(strings.ReplaceAll(lastError, "\x00", ""), "")
	_, err := s.exec(ctx, `
		UPDATE outbox SET not_before = $2, attempts = attempts + 1, last_error = $3 WHERE id = $1`,
		id, ms(notBefore), lastError)
	return err
}

// Done implements storage.Outbox.
func (s *Store) Done(ctx context.Context, id string) error {
	_, err := s.exec(ctx, `DELETE FROM outbox WHERE id = $1`, id)
	return err
}

// Revocations implements storage.Outbox.
func (s *Store) Revocations(ctx context.Context, limit int) ([]storage.Revocation, int, error) {
	pending, err := one[int](ctx, s, `SELECT count(*) FROM outbox`)
	if err != nil || pending == 0 {
		return nil, 0, err
	}
	page, err := query(ctx, s, revocation, `
		SELECT id, origin, provider, reason, ended_at, not_before, attempts, last_error,
			NULL::bytea, substring(sealed FROM 1 FOR 5)
		FROM outbox ORDER BY ended_at, id LIMIT $1`, limit)
	return page, pending, err
}

// revocation scans a row of the outbox. The query selects either the sealed part or its head.
func revocation(row pgx.CollectableRow) (r storage.Revocation, err error) {
	var ended, notBefore int64
	err = row.Scan(
		&r.ID, &r.Origin, &r.Provider, &r.Reason, &ended, &notBefore,
		&r.Attempts, &r.LastError, &r.Sealed, &r.Head,
	)
	r.EndedAt, r.NotBefore = at(ended), at(notBefore)
	return r, err
}
