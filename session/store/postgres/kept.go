package postgres

import (
	"context"
	"encoding/base64"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/cloakroom/cloakroom/session/storage"
)

// keptKey is the key of a kept value in the table of leases, where the sealed value takes the place
// of the holder. The table exists in every layout version, and removes rows that have expired; no
// lease has a key of this form.
func keptKey(key string) string { return "kept " + key }

// Keep implements storage.Marks.
func (s *Store) Keep(ctx context.Context, key string, sealed []byte, ttl time.Duration) error {
	_, err := s.exec(ctx, `INSERT INTO leases (key, holder, until) VALUES ($1, $2, `+clock+` + $3)`,
		keptKey(key), base64.RawStdEncoding.EncodeToString(sealed), ttl.Milliseconds())
	return err
}

// A keptRow is a kept value, and whether it has not expired.
type keptRow struct {
	Text  string
	Valid bool
}

// Take implements storage.Marks.
func (s *Store) Take(ctx context.Context, key string) ([]byte, error) {
	found, err := query(ctx, s, pgx.RowToStructByPos[keptRow],
		`DELETE FROM leases WHERE key = $1 RETURNING holder, until > `+clock, keptKey(key))
	if err != nil {
		return nil, err
	}
	if len(found) == 0 || !found[0].Valid {
		return nil, storage.ErrNotFound
	}
	sealed, err := base64.RawStdEncoding.DecodeString(found[0].Text)
	if err != nil {
		return nil, fmt.Errorf("read kept value: %w", err)
	}
	return sealed, nil
}
