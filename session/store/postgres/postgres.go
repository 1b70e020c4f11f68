// Package postgres keeps sessions in PostgreSQL (13 or later), shared by any number of replicas.
//
// Each operation is one round trip and one transaction at READ COMMITTED: the statement that
// changes a row locks it and checks its conditions again. Replicas take shared work, from the
// outbox and for the sweeper, with SKIP LOCKED, so that none waits for another. Each change of a
// record is announced by NOTIFY in the transaction that makes it.
//
// Its weak point is writing: every touch and renewal makes a new version of a row that vacuum must
// remove, and NOTIFY holds a lock of the whole server from before a commit is flushed to disk until
// after it. So renewals and ends are flushed one by one: no more of them a second than the disk can
// flush, however many replicas there are. A client that listens and never reads fills the queue of
// notifications, and writes fail when it is full. LISTEN needs a connection of its own, which a
// pooler in transaction mode can't provide.
package postgres

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/cloakroom/cloakroom/resilience"
	"github.com/cloakroom/cloakroom/session/storage"
	"github.com/cloakroom/cloakroom/session/store/layout"
	"github.com/cloakroom/cloakroom/session/store/liveness"
)

const (
	dialTime    = 2 * time.Second
	migrateTime = time.Minute
)

var errStandby = errors.New("the server takes no writes: it is a standby, or read-only; " +
	"name all servers in the URL, with target_session_attrs=read-write")

// A Store implements all parts of a storage.Store, with a Feed, in PostgreSQL.
type Store struct {
	pool    *pgxpool.Pool
	schema  string
	channel string
	process int32 // identifies this Store among all that use the database; see listeners
	// detector is for the processes that hold leases.
	detector liveness.Detector[int32]

	closing context.Context // ends at Close; for attempts to prepare the schema
	close   context.CancelFunc

	preparing resilience.Flight[struct{}] // runs prepare, one at a time
	ready     atomic.Bool                 // whether the schema is this build's
}

// Open reads the URL, and brings the schema up to date if the server answers. It succeeds even if
// the server is down, since it may be up when it is needed. An error never contains the URL, which
// may hold a password. See parse for the form of the URL.
func Open(ctx context.Context, url string) (*Store, error) {
	cfg, schema, err := parse(url)
	if err != nil {
		return nil, fmt.Errorf("read the PostgreSQL URL: %w", err)
	}
	pool, err := pgxpool.NewWithConfig(context.WithoutCancel(ctx), cfg)
	if err != nil {
		return nil, fmt.Errorf("set up PostgreSQL: %w", err)
	}
	s := &Store{pool: pool, schema: schema, channel: schema, process: rand.Int32()}
	s.closing, s.close = context.WithCancel(context.WithoutCancel(ctx))
	ctx, cancel := context.WithTimeout(ctx, migrateTime)
	defer cancel()
	if err := s.prepared(ctx); isPermanent(err) {
		_ = s.Close()
		return nil, fmt.Errorf("open PostgreSQL store: %w", err)
	}
	return s, nil
}

// prepared returns nil once the schema is up to date. Concurrent callers share one attempt; each
// waits until its own ctx ends.
func (s *Store) prepared(ctx context.Context) error {
	if s.ready.Load() {
		return nil
	}
	_, err := s.preparing.Do(ctx, s.prepare)
	return err
}

// prepare migrates the schema.
func (s *Store) prepare() (struct{}, error) {
	if s.ready.Load() { // another caller has just done it
		return struct{}{}, nil
	}
	ctx, cancel := context.WithTimeout(s.closing, migrateTime)
	defer cancel()
	err := withRemedy(s.migrate(ctx))
	s.ready.Store(err == nil)
	return struct{}{}, err
}

// query runs a statement and collects its rows.
func query[T any](
	ctx context.Context, s *Store, scan pgx.RowToFunc[T], sql string, args ...any,
) (found []T, err error) {
	err = s.run(ctx, func() error {
		rows, err := s.pool.Query(ctx, sql, args...)
		if err != nil {
			return err
		}
		found, err = pgx.CollectRows(rows, scan)
		return err
	})
	return found, err
}

// one runs a statement that returns exactly one row.
func one[T any](ctx context.Context, s *Store, sql string, args ...any) (value T, err error) {
	err = s.run(ctx, func() error { return s.pool.QueryRow(ctx, sql, args...).Scan(&value) })
	return value, err
}

// exec runs a statement and returns how many rows it changed.
func (s *Store) exec(ctx context.Context, sql string, args ...any) (changed int64, err error) {
	err = s.run(ctx, func() error {
		tag, err := s.pool.Exec(ctx, sql, args...)
		changed = tag.RowsAffected()
		return err
	})
	return changed, err
}

// run runs one statement. If the server does not accept writes or shuts down, run closes the
// connections of the pool; new ones go to the server that target_session_attrs in the URL selects.
// A statement that was refused because it is a write was not executed, so run sends it to that
// server, once.
func (s *Store) run(ctx context.Context, statement func() error) error {
	if err := s.prepared(ctx); err != nil {
		return err
	}
	err := statement()
	refused, ok := errors.AsType[*pgconn.PgError](err)
	if !ok || !slices.Contains(resetCodes, refused.Code) {
		return err
	}
	s.pool.Reset()
	if refused.Code != readOnly {
		return err
	}
	return statement()
}

// Parts returns the store as a storage.Store.
func (s *Store) Parts() storage.Store {
	return storage.Store{
		Records: s, Finder: s, Outbox: s, Leases: s, Marks: s, Connection: s, Feed: s,
	}
}

// Ping implements storage.Connection. It succeeds if the server accepts writes, which a standby
// does not, and if this build may use the schema's layout, which a newer build may have changed
// since.
func (s *Store) Ping(ctx context.Context) (time.Time, error) {
	found, err := query(ctx, s, pgx.RowToStructByPos[health], `
		SELECT pg_is_in_recovery() OR current_setting('transaction_read_only')::bool,
		(SELECT coalesce(max(version), 0) FROM schema_version), `+clock)
	if err != nil {
		return time.Time{}, err
	}
	if found[0].Standby {
		s.pool.Reset()
		return time.Time{}, errStandby
	}
	return at(found[0].Now), s.checkLayout(found[0].Version)
}

// health is the answer to a ping.
type health struct {
	Standby bool
	Version int
	Now     int64 // ms
}

// checkLayout checks the layout version of the schema again. If it is too new, all calls fail from
// now on.
func (s *Store) checkLayout(version int) error {
	all, err := steps()
	if err == nil {
		err = layout.Check(version, len(all), notInUse)
	}
	if err != nil {
		s.ready.Store(false)
	}
	return err
}

// Close implements storage.Connection.
func (s *Store) Close() error {
	s.close()
	// Wait for the attempt under way, which s.close has canceled.
	_, _ = s.preparing.Do(context.Background(), func() (struct{}, error) { return struct{}{}, nil })
	s.pool.Close()
	return nil
}

// ms and at convert times to milliseconds since 1970 and back; the zero time is 0.
func ms(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMilli()
}

func at(ms int64) time.Time {
	if ms == 0 {
		return time.Time{}
	}
	return time.UnixMilli(ms).UTC()
}
