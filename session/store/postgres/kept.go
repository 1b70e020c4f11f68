package postgres

import (
	"context"
	"encoding/base64"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/cloakroom/cloakroom/session/storage"
)

// What is kept lies among the leases, as one that nobody will ask for: under a name of its own, with
// what is sealed where a lease has its holder. It needs no table that an earlier build does not know, and goes
// when its time is over as leases do.
func keptKey(key string) string { return "kept " + key }

// Keep implements storage.Marks.
func (s *Store) Keep(ctx context.Context, key string, sealed []byte, ttl time.Duration) error {
	_, err := s.exec(ctx, `INSERT INTO leases (key, holder, until) VALUES ($1, $2, `+clock+` + $3)`,
		keptKey(key), base64.RawStdEncoding.EncodeToString(sealed), ttl.Milliseconds())
	return err
}

// A keptRow is what lies under a key, and whether its time is not over.
type keptRow struct {
	Text string
	Good bool
}

// Take implements storage.Marks.
func (s *Store) Take(ctx context.Context, key string) ([]byte, error) {
	found, err := query(ctx, s, pgx.RowToStructByPos[keptRow],
		`DELETE FROM leases WHERE key = $1 RETURNING holder, until > `+clock, keptKey(key))
	if err != nil {
		return nil, err
	}
	if len(found) == 0 || !found[0].Good {
		return nil, storage.ErrNotFound
	}
	sealed, err := base64.RawStdEncoding.DecodeString(found[0].Text)
	if err != nil {
		return nil, fmt.Errorf("read what is kept: %w", err)
	}
	return sealed, nil
}
