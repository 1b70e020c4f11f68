package postgres

import (
	"context"
	"embed"
	"errors"
	"fmt"
	"hash/fnv"
	"io/fs"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// migrations are applied in the order of their names, each once. They are only ever added to.
//
//go:embed migrations/*.sql
var migrations embed.FS

// errNewer: this build can't know what it would destroy.
var errNewer = errors.New("the schema is of a newer build")

// migrate brings the schema up to this build's, in one transaction. Replicas that start together wait for
// each other at an advisory lock.
func (s *Store) migrate(ctx context.Context) error {
	steps, err := fs.Glob(migrations, "migrations/*.sql")
	if err != nil {
		return err
	}
	return s.migrateTo(ctx, steps)
}

func (s *Store) migrateTo(ctx context.Context, steps []string) error {
	version, err := version(ctx, s.pool)
	refused, answered := errors.AsType[*pgconn.PgError](err)
	switch {
	case err == nil && version >= len(steps): // the usual case, which needs no right to change anything
		return known(s.schema, version, len(steps))
	case err != nil && !(answered && refused.Code == undefinedTable):
		return err
	}
	return pgx.BeginFunc(ctx, s.pool, func(tx pgx.Tx) error { return s.apply(ctx, tx, steps) })
}

// known is errNewer for a version that this build does not know.
func known(schema string, version, last int) error {
	if version > last {
		return fmt.Errorf("schema %q has version %d, and this build knows %d: %w", schema, version, last, errNewer)
	}
	return nil
}

// apply does the steps that are left. The lock is held until the transaction is over; what another replica
// did before it was had is seen after.
func (s *Store) apply(ctx context.Context, tx pgx.Tx, steps []string) error {
	if _, err := tx.Exec(ctx, `SELECT pg_advisory_xact_lock($1)`, s.lockKey()); err != nil {
		return err
	}
	if err := s.makeSchema(ctx, tx); err != nil {
		return err
	}
	version, err := version(ctx, tx)
	if err == nil {
		err = known(s.schema, version, len(steps))
	}
	if err != nil {
		return err
	}
	for i := version; i < len(steps); i++ {
		if err := applyStep(ctx, tx, steps[i], i+1); err != nil {
			return err
		}
	}
	return nil
}

// version is what the schema is at.
func version(ctx context.Context, on interface {
	QueryRow(context.Context, string, ...any) pgx.Row
},
) (version int, err error) {
	err = on.QueryRow(ctx, `SELECT coalesce(max(version), 0) FROM schema_version`).Scan(&version)
	return version, err
}

// makeSchema is asked with care: CREATE SCHEMA IF NOT EXISTS wants the right to create even if it does not.
func (s *Store) makeSchema(ctx context.Context, tx pgx.Tx) error {
	var there bool
	if err := tx.QueryRow(ctx, `SELECT EXISTS (SELECT 1 FROM pg_namespace WHERE nspname = $1)`, s.schema).Scan(&there); err != nil {
		return err
	}
	if !there {
		if _, err := tx.Exec(ctx, "CREATE SCHEMA "+pgx.Identifier{s.schema}.Sanitize()); err != nil { // it may be a word of SQL's
			return fmt.Errorf("make schema %q: %w", s.schema, err)
		}
	}
	_, err := tx.Exec(ctx, `CREATE TABLE IF NOT EXISTS schema_version (version integer PRIMARY KEY, applied_at timestamptz NOT NULL DEFAULT now())`)
	return err
}

func applyStep(ctx context.Context, tx pgx.Tx, name string, version int) error {
	step, err := migrations.ReadFile(name)
	if err != nil {
		return err
	}
	if _, err := tx.Exec(ctx, string(step)); err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	_, err = tx.Exec(ctx, `INSERT INTO schema_version (version) VALUES ($1)`, version)
	return err
}

// lockKey is the same for everybody who changes this schema, and no other's.
func (s *Store) lockKey() int64 {
	h := fnv.New64a()
	fmt.Fprintf(h, "cloakroom schema %s", s.schema)
	return int64(h.Sum64())
}
