package postgres

import (
	"context"
	"errors"
	"fmt"
	"io/fs"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// undefinedTable is PostgreSQL's code for a table that is not there.
const undefinedTable = "42P01"

// Inspect connects and looks at settings that decide whether sessions are safe, and at the schema, which it
// leaves as it is.
func Inspect(ctx context.Context, url string) (warnings []string, err error) {
	cfg, schema, err := parse(url)
	if err != nil {
		return nil, fmt.Errorf("read the PostgreSQL URL: %w", err)
	}
	conn, err := pgx.ConnectConfig(ctx, cfg.ConnConfig)
	if err != nil {
		return nil, err
	}
	defer func() { _ = conn.Close(ctx) }() // nothing was changed
	var standby bool
	var sync, fsync string
	err = conn.QueryRow(ctx, `SELECT pg_is_in_recovery() OR current_setting('transaction_read_only')::bool, current_setting('synchronous_commit'), current_setting('fsync')`).
		Scan(&standby, &sync, &fsync)
	if err != nil {
		return nil, err
	}
	if standby {
		return nil, errStandby
	}
	if sync == "off" || fsync == "off" {
		warnings = append(warnings, fmt.Sprintf("synchronous_commit is %s and fsync is %s: a crash of the server forgets renewals, and users are logged out by a refresh token that was spent; set both on", sync, fsync))
	}
	note, err := schemaNote(ctx, conn, schema)
	if note != "" {
		warnings = append(warnings, note)
	}
	return warnings, err
}

// schemaNote says what the first start will do to the schema, if anything.
func schemaNote(ctx context.Context, conn *pgx.Conn, schema string) (string, error) {
	steps, err := fs.Glob(migrations, "migrations/*.sql")
	if err != nil {
		return "", err
	}
	var version int
	err = conn.QueryRow(ctx, `SELECT coalesce(max(version), 0) FROM schema_version`).Scan(&version)
	if missing, ok := errors.AsType[*pgconn.PgError](err); ok && missing.Code == undefinedTable {
		return fmt.Sprintf("schema %q is not there yet; it is made at the first start", schema), nil
	}
	switch {
	case err != nil:
		return "", err
	case version > len(steps):
		return "", fmt.Errorf("schema %q has version %d, and this build knows %d: run the newer build: %w", schema, version, len(steps), errNewer)
	case version < len(steps):
		return fmt.Sprintf("schema %q has version %d; the next start brings it to %d", schema, version, len(steps)), nil
	}
	return "", nil
}
