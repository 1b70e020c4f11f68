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

// keptKey is the key of a kept value in the table of leases, where the sealed value takes the place
// of the holder. The table exists in every layout version, and removes rows that have expired; no
// lease has a key of this form.
func keptKey(key string) string { return "kept " + key }

// Keep implements storage.Marks.
func (s *Store) Keep(ctx context.Context, key string, sealed []byte, ttl time.Duration) error {
	text, until := base64.RawStdEncoding.EncodeToString(sealed), ms(time.Now().Add(ttl))
	_, err := s.keep.ExecContext(ctx, keptKey(key), text, until)
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
		return nil, fmt.Errorf("read kept value: %w", err)
	}
	return sealed, nil
}
