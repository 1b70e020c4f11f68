package sqlite

import (
	"context"
	"database/sql"
	"encoding/base64"
	"errors"
	"fmt"
	"time"

	"github.com/cloakroom/cloakroom/session/storage"
)

// What is kept lies among the leases, as one that nobody will ask for: under a name of its own, with
// what is sealed where a lease has its holder. It needs no table that an earlier build does not know, and goes
// when its time is over as leases do.
func keptKey(key string) string { return "kept " + key }

// Keep implements storage.Marks.
func (s *Store) Keep(ctx context.Context, key string, sealed []byte, ttl time.Duration) error {
	_, err := s.keep.ExecContext(ctx, keptKey(key), base64.RawStdEncoding.EncodeToString(sealed), ms(time.Now().Add(ttl)))
	return err
}

// Take implements storage.Marks.
func (s *Store) Take(ctx context.Context, key string) ([]byte, error) {
	var text string
	var until int64
	err := s.take.QueryRowContext(ctx, keptKey(key)).Scan(&text, &until)
	if errors.Is(err, sql.ErrNoRows) || err == nil && until <= ms(time.Now()) {
		return nil, storage.ErrNotFound
	}
	if err != nil {
		return nil, err
	}
	sealed, err := base64.RawStdEncoding.DecodeString(text)
	if err != nil {
		return nil, fmt.Errorf("read what is kept: %w", err)
	}
	return sealed, nil
}
