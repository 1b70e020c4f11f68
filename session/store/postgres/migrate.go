package postgres

import (
	"context"
	"embed"
	"errors"
	"fmt"
	"hash/fnv"
	"io/fs"

	"github.com/jackc/pgx/v5"
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
	current, err := s.version(ctx)
	if err == nil && current == len(steps) { // the usual case, which needs no right to change anything
		return nil
	}
	return pgx.BeginFunc(ctx, s.pool, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, `SELECT pg_advisory_xact_lock($1)`, s.lockKey()); err != nil {
			return err
		}
		if err := s.makeSchema(ctx, tx); err != nil {
			return err
		}
		var version int
		if err := tx.QueryRow(ctx, `SELECT coalesce(max(version), 0) FROM schema_version`).Scan(&version); err != nil {
			return err
		}
		if version > len(steps) {
			return fmt.Errorf("schema %q has version %d, and this build knows %d: run the newer build: %w", s.schema, version, len(steps), errNewer)
		}
		for i, name := range steps[version:] {
			if err := apply(ctx, tx, name, version+i+1); err != nil {
				return err
			}
		}
		return nil
	})
}

// version is what the schema is at; an error when that can't be told.
func (s *Store) version(ctx context.Context) (version int, err error) {
	err = s.pool.QueryRow(ctx, `SELECT max(version) FROM schema_version`).Scan(&version)
	return version, err
}

// makeSchema is asked with care: CREATE SCHEMA IF NOT EXISTS wants the right to create even if it does not.
func (s *Store) makeSchema(ctx context.Context, tx pgx.Tx) error {
	var there bool
	if err := tx.QueryRow(ctx, `SELECT EXISTS (SELECT 1 FROM pg_namespace WHERE nspname = $1)`, s.schema).Scan(&there); err != nil {
		return err
	}
	if !there {
		if _, err := tx.Exec(ctx, "CREATE SCHEMA "+s.schema); err != nil { // validSchema has looked at it
			return fmt.Errorf("make schema %q (grant CREATE on the database, or make it for this user): %w", s.schema, err)
		}
	}
	_, err := tx.Exec(ctx, `CREATE TABLE IF NOT EXISTS schema_version (version integer PRIMARY KEY, applied_at timestamptz NOT NULL DEFAULT now())`)
	return err
}

func apply(ctx context.Context, tx pgx.Tx, name string, version int) error {
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
