package sqlite

import (
	"context"
	"errors"
	"fmt"
	"os"

	"github.com/cloakroom/cloakroom/session/storage"
	"github.com/cloakroom/cloakroom/session/store/layout"
)

// Inspect examines the file at path without changing its layout. It returns an error if the file
// does not exist, or can't be opened or written to.
func Inspect(ctx context.Context, path string) (seen storage.Inspection, err error) {
	if _, err := os.Stat(path); err != nil {
		return seen, fmt.Errorf("open SQLite store: %w", err)
	}
	s := &Store{}
	if s.write, err = connect(path, 1, false); err != nil {
		return seen, err
	}
	if s.read, err = connect(path, 1, true); err != nil {
		return seen, errors.Join(err, s.Close())
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	var version int
	if err := s.read.QueryRowContext(ctx, versionQuery).Scan(&version); err != nil {
		return seen, err
	}
	known := len(migrations())
	if err := layout.Check(version, known, nobody); err != nil {
		return seen, err
	}
	if err := s.transact(ctx, writeNothing); err != nil {
		return seen, fmt.Errorf("write to the file: %w", err)
	}
	if version == 0 {
		seen.Layout = fmt.Sprintf(
			"the file is empty; layout version %d is made at the first start", known,
		)
		return seen, nil
	}
	seen.Layout, seen.Current = layout.Describe(version, known), version >= known
	return seen, nil
}
