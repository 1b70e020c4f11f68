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

// migrations are applied in the order of their names, each once; their number is the version of the layout. They are
// only ever added to.
//
// A migration must leave the build before it working, which runs beside this one during an upgrade and after it is
// rolled back: it adds tables, indices, and columns that are nullable or have a default. What is no longer needed is
// taken away by a later one, two versions after the last that used it. Anything else needs a way around that, and a
// word in docs/scaling.md.
//
//go:embed migrations/*.sql
var migrations embed.FS

// A step is one migration.
type step struct{ name, text string }

// steps are all that this build knows.
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

// migrate brings the schema up to this build's, in one transaction. Replicas that start together wait for
// each other at an advisory lock.
func (s *Store) migrate(ctx context.Context) error {
	all, err := steps()
	if err != nil {
		return err
	}
	version, err := version(ctx, s.pool)
	refused, answered := errors.AsType[*pgconn.PgError](err)
	switch {
	case err == nil && version >= len(all): // the usual case, which needs no right to change anything
		return layout.Check(version, len(all), nobody)
	case err != nil && !(answered && refused.Code == undefinedTable):
		return err
	}
	return pgx.BeginFunc(ctx, s.pool, func(tx pgx.Tx) error { return s.apply(ctx, tx, all) })
}

// nobody uses a schema that is not older.
func nobody() (bool, error) { return false, nil }

// apply does the steps that are left. The lock is held until the transaction is over; what another replica
// did before it was had is seen after.
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

// inUse reports whether a process listens in this database, whatever its schema: a build that is too old says no more
// of itself.
func inUse(ctx context.Context, tx pgx.Tx) (used bool, err error) {
	err = tx.QueryRow(ctx, `SELECT EXISTS (SELECT 1 FROM pg_locks WHERE locktype = 'advisory' AND classid = $1::int AND objsubid = 2
		AND database = (SELECT oid FROM pg_database WHERE datname = current_database()))`, listeners).Scan(&used)
	return used, err
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

func applyStep(ctx context.Context, tx pgx.Tx, s step, version int) error {
	if _, err := tx.Exec(ctx, s.text); err != nil {
		return fmt.Errorf("%s: %w", s.name, err)
	}
	_, err := tx.Exec(ctx, `INSERT INTO schema_version (version) VALUES ($1)`, version)
	return err
}

// lockKey is the same for everybody who changes this schema, and no other's.
func (s *Store) lockKey() int64 {
	h := fnv.New64a()
	fmt.Fprintf(h, "cloakroom schema %s", s.schema)
	return int64(h.Sum64())
}
