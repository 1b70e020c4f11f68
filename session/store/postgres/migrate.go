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

	"github.com/cloakroom/cloakroom/session/store/layout"
)

// migrations are applied in the order of their names, each once. Their number is the layout
// version. The list is append-only.
//
// The previous build must keep working after a migration: it runs beside this one during an
// upgrade, and again after a rollback. So a migration only adds tables, indices, and columns that
// are nullable or have a default. What is no longer needed is removed two versions after the last
// one that used it. A migration that must break this rule needs another way to upgrade, described
// in docs/scaling.md.
//
//go:embed migrations/*.sql
var migrations embed.FS

// A step is one migration.
type step struct{ name, text string }

// steps returns all migrations of this build.
func steps() ([]step, error) {
	names, err := fs.Glob(migrations, "migrations/*.sql")
	if err != nil {
		return nil, err
	}
	var all []step
	for _, name := range names {
		text, err := migrations.ReadFile(name)
		if err != nil {
			return nil, err
		}
		all = append(all, step{name, string(text)})
	}
	return append(all, nextSteps()...), nil
}

// migrate brings the schema up to this build's layout, in one transaction. Replicas that start
// together wait for each other at an advisory lock.
func (s *Store) migrate(ctx context.Context) error {
	all, err := steps()
	if err != nil {
		return err
	}
	version, err := version(ctx, s.pool)
	refused, answered := errors.AsType[*pgconn.PgError](err)
	switch {
	case err == nil && version >= len(all): // the usual case; it needs no permission to change anything
		return layout.Check(version, len(all), notInUse)
	case err != nil && !(answered && refused.Code == undefinedTable):
		return err
	}
	return pgx.BeginFunc(ctx, s.pool, func(tx pgx.Tx) error { return s.apply(ctx, tx, all) })
}

// notInUse is the inUse function of layout.Check for a schema that is not older than this build's:
// Check does not call it then.
func notInUse() (bool, error) { return false, nil }

// apply applies the missing steps. It reads the version after it got the lock, which it holds until
// the transaction ends, so it sees what another replica has done meanwhile.
func (s *Store) apply(ctx context.Context, tx pgx.Tx, all []step) error {
	if _, err := tx.Exec(ctx, `SELECT pg_advisory_xact_lock($1)`, s.lockKey()); err != nil {
		return err
	}
	if err := s.makeSchema(ctx, tx); err != nil {
		return err
	}
	version, err := version(ctx, tx)
	if err != nil {
		return err
	}
	if version > 0 {
		err = layout.Check(version, len(all), func() (bool, error) { return inUse(ctx, tx) })
	}
	if err != nil {
		return err
	}
	for i := version; i < len(all); i++ {
		if err := applyStep(ctx, tx, all[i], i+1); err != nil {
			return err
		}
	}
	return nil
}

// inUse reports whether a process listens in this database, in any schema: the locks of old builds
// don't say in which.
func inUse(ctx context.Context, tx pgx.Tx) (used bool, err error) {
	err = tx.QueryRow(ctx, `
		SELECT EXISTS (SELECT 1 FROM pg_locks
			WHERE locktype = 'advisory' AND classid = $1::int AND objsubid = 2
			AND database = (SELECT oid FROM pg_database WHERE datname = current_database()))`,
		listeners).Scan(&used)
	return used, err
}

// version returns the schema's layout version.
func version(ctx context.Context, on interface {
	QueryRow(context.Context, string, ...any) pgx.Row
},
) (version int, err error) {
	err = on.QueryRow(ctx, `SELECT coalesce(max(version), 0) FROM schema_version`).Scan(&version)
	return version, err
}

// makeSchema creates the schema if it does not exist. It checks first, because CREATE SCHEMA IF NOT
// EXISTS needs the permission to create even if the schema exists.
func (s *Store) makeSchema(ctx context.Context, tx pgx.Tx) error {
	var exists bool
	err := tx.QueryRow(ctx,
		`SELECT EXISTS (SELECT 1 FROM pg_namespace WHERE nspname = $1)`, s.schema).Scan(&exists)
	if err != nil {
		return err
	}
	if !exists {
		// The name may be a keyword of SQL.
		_, err := tx.Exec(ctx, "CREATE SCHEMA "+pgx.Identifier{s.schema}.Sanitize())
		if err != nil {
			return fmt.Errorf("make schema %q: %w", s.schema, err)
		}
	}
	_, err = tx.Exec(ctx, `
		CREATE TABLE IF NOT EXISTS schema_version
		(version integer PRIMARY KEY, applied_at timestamptz NOT NULL DEFAULT now())`)
	return err
}

func applyStep(ctx context.Context, tx pgx.Tx, s step, version int) error {
	if _, err := tx.Exec(ctx, s.text); err != nil {
		return fmt.Errorf("%s: %w", s.name, err)
	}
	_, err := tx.Exec(ctx, `INSERT INTO schema_version (version) VALUES ($1)`, version)
	return err
}

// lockKey is the key of the advisory lock for changes to this schema.
func (s *Store) lockKey() int64 {
	h := fnv.New64a()
	fmt.Fprintf(h, "cloakroom schema %s", s.schema)
	return int64(h.Sum64())
}
