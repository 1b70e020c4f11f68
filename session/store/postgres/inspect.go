package postgres

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/cloakroom/cloakroom/session/storage"
	"github.com/cloakroom/cloakroom/session/store/layout"
)

// Inspect connects, and examines settings that decide whether sessions are safe, and the schema. It
// changes nothing.
func Inspect(ctx context.Context, url string) (seen storage.Inspection, err error) {
	cfg, schema, err := parse(url)
	if err != nil {
		return seen, fmt.Errorf("read the PostgreSQL URL: %w", err)
	}
	conn, err := pgx.ConnectConfig(ctx, cfg.ConnConfig)
	if err != nil {
		return seen, withRemedy(err)
	}
	defer func() { _ = conn.Close(ctx) }() // nothing was written
	var standby bool
	var sync, fsync string
	sent, now := time.Now(), int64(0)
	err = conn.QueryRow(ctx, `
		SELECT pg_is_in_recovery() OR current_setting('transaction_read_only')::bool,
			current_setting('synchronous_commit'), current_setting('fsync'), `+clock).
		Scan(&standby, &sync, &fsync, &now)
	seen.Ahead = sent.Add(time.Since(sent) / 2).Sub(at(now))
	if err != nil {
		return seen, err
	}
	if standby {
		return seen, errStandby
	}
	if sync == "off" || fsync == "off" {
		seen.Warnings = append(seen.Warnings, fmt.Sprintf(
			"synchronous_commit is %s and fsync is %s: a crash of the server forgets renewals, "+
				"and users are logged out by a refresh token that was spent; set both on",
			sync, fsync,
		))
	}
	state, note, err := schemaState(ctx, conn, schema)
	seen.Layout, seen.Current = state, state != "" && note == ""
	if note != "" {
		seen.Warnings = append(seen.Warnings, note)
	}
	return seen, withRemedy(err)
}

// schemaState describes the schema's version, and notes what the first start would do to it.
func schemaState(
	ctx context.Context, conn *pgx.Conn, schema string,
) (state, note string, err error) {
	all, err := steps()
	if err != nil {
		return "", "", err
	}
	current, err := version(ctx, conn)
	if missing, ok := errors.AsType[*pgconn.PgError](err); ok && missing.Code == undefinedTable {
		note = fmt.Sprintf("schema %q is not there yet; it is made at the first start", schema)
		return "", note, nil
	}
	if err == nil {
		err = layout.Check(current, len(all), notInUse)
	}
	if err != nil {
		return "", "", err
	}
	if current < len(all) {
		note = fmt.Sprintf(
			"schema %q has version %d; the next start brings it to %d", schema, current, len(all),
		)
	}
	return layout.Describe(current, len(all)), note, nil
}
