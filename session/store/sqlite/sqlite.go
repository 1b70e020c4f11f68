// Package sqlite keeps sessions in one file: the embedded default, for one machine.
//
// A write that returned survives a kill and a power failure, as does the outbox: after a logout was
// answered, the tokens that are still to be revoked must not be lost. Each write therefore waits
// for the disk. That is the weak point of this store: it can do some hundreds of writes a second,
// not thousands.
//
// One connection writes and a few read. WAL mode allows that, so a reader never waits for a writer.
// Two processes may open the same file, but only on one machine.
package sqlite

import (
	"context"
	"database/sql"
	_ "embed" // the schema
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"time"

	_ "modernc.org/sqlite" // the driver, in pure Go

	"github.com/cloakroom/cloakroom/session/storage"
	"github.com/cloakroom/cloakroom/session/store/layout"
)

const readers = 4

// A Store implements all parts of a storage.Store except the Feed, in an SQLite file.
type Store struct {
	write *sql.DB // one connection
	read  *sql.DB
	left  atomic.Pointer[layout.MismatchError] // why Ping closed the file; nil: it did not
	statements
}

// Open opens the database at path and creates it, with mode 0600, if it does not exist; its folder
// must exist. Open takes the permissions of other users away from an existing file.
func Open(ctx context.Context, path string) (*Store, error) {
	if path == "" || strings.HasPrefix(path, ":") {
		return nil, errors.New("open SQLite store: no file is named; write sqlite:PATH")
	}
	if err := makePrivate(path); err != nil {
		return nil, fmt.Errorf("open SQLite store: %w", err)
	}
	s := &Store{}
	if err := s.open(ctx, path); err != nil {
		return nil, errors.Join(fmt.Errorf("open SQLite store %q: %w", path, err), s.Close())
	}
	return s, nil
}

func (s *Store) open(ctx context.Context, path string) (err error) {
	if s.write, err = connect(path, 1, false); err != nil {
		return err
	}
	if s.read, err = connect(path, readers, true); err != nil {
		return err
	}
	if err := s.migrate(ctx); err != nil {
		return err
	}
	return s.prepare(ctx)
}

// makePrivate creates the file before SQLite does, so that it never exists with wider permissions.
// The -wal and -shm files get the same mode.
func makePrivate(path string) error {
	f, err := os.OpenFile(filepath.Clean(path), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return err
	}
	if err := f.Close(); err != nil {
		return err
	}
	for _, suffix := range []string{"", "-wal", "-shm"} {
		st, err := os.Stat(path + suffix)
		if errors.Is(err, os.ErrNotExist) {
			continue
		}
		if err != nil {
			return err
		}
		if st.Mode().Perm()&0o077 == 0 {
			continue
		}
		if err := os.Chmod(path+suffix, 0o600); err != nil {
			return fmt.Errorf("close it to other users: %w", err)
		}
	}
	return nil
}

// connect opens a pool whose connections use WAL, synchronous=FULL (a commit is on the disk when it
// returns), a time-out for locks of other processes, and secure_delete (deleted records are
// overwritten).
func connect(path string, connections int, readOnly bool) (*sql.DB, error) {
	q := url.Values{"_pragma": {
		"busy_timeout(5000)", "journal_mode(WAL)", "synchronous(FULL)",
		"foreign_keys(1)", "secure_delete(1)", "cache_size(-2000)",
		"temp_store(MEMORY)", "trusted_schema(0)", "journal_size_limit(16777216)",
	}}
	if readOnly {
		q.Add("_pragma", "query_only(1)")
	} else {
		// A transaction that reads before it writes must not fail to get the lock when it writes.
		q.Set("_txlock", "immediate")
	}
	db, err := sql.Open("sqlite", "file:"+(&url.URL{Path: path}).EscapedPath()+"?"+q.Encode())
	if err != nil {
		return nil, err
	}
	db.SetMaxOpenConns(connections)
	db.SetMaxIdleConns(connections)
	return db, nil
}

//go:embed schema.sql
var schema string

//go:embed schema2.sql
var schema2 string

// migrations bring a file from one layout version, which user_version holds, to the next. The list
// is append-only.
//
// The previous build must keep working after a migration: it may run beside this one during an
// upgrade, and again after a rollback. So a migration only adds tables, indices, and columns that
// are nullable or have a default. What is no longer needed is removed two versions after the last
// one that used it.
func migrations() []string { return append([]string{schema, schema2}, nextMigrations()...) }

// nobody is the inUse function of layout.Check: SQLite can't tell whether another process has the
// file open. Builds that are too old learn of a migration at their next Ping.
func nobody() (bool, error) { return false, nil }

// migrate brings an older file up to this build's layout. It leaves the next build's layout as it
// is, and refuses a newer one, because this build can't know what it would destroy.
func (s *Store) migrate(ctx context.Context) error {
	return s.transact(ctx, func(tx *sql.Tx) error {
		var version int
		if err := tx.QueryRowContext(ctx, versionQuery).Scan(&version); err != nil {
			return err
		}
		steps := migrations()
		if err := layout.Check(version, len(steps), nobody); err != nil {
			return err
		}
		if version >= len(steps) {
			return nil
		}
		for _, step := range steps[version:] {
			if _, err := tx.ExecContext(ctx, step); err != nil {
				return err
			}
		}
		_, err := tx.ExecContext(ctx, fmt.Sprintf("PRAGMA user_version = %d", len(steps)))
		return err
	})
}

const versionQuery = "PRAGMA user_version"

// checkLayout checks the layout version of the file again: a newer build may have migrated it. If
// this build may no longer use the file, checkLayout closes it, so that every other call fails.
func (s *Store) checkLayout(ctx context.Context) error {
	var version int
	err := s.read.QueryRowContext(ctx, versionQuery).Scan(&version)
	if err != nil {
		if left := s.left.Load(); left != nil {
			return left
		}
		return err
	}
	err = layout.Check(version, len(migrations()), nobody)
	if left, ok := errors.AsType[*layout.MismatchError](err); ok {
		s.left.Store(left)
		return errors.Join(left, s.Close())
	}
	return err
}

// transact runs fn in a transaction that holds the write lock from its start.
func (s *Store) transact(ctx context.Context, fn func(*sql.Tx) error) error {
	tx, err := s.write.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	if err := fn(tx); err != nil {
		return errors.Join(err, ignoreDone(tx.Rollback()))
	}
	return tx.Commit()
}

// ignoreDone ignores the error of a rollback that the end of the context has already done.
func ignoreDone(err error) error {
	if errors.Is(err, sql.ErrTxDone) {
		return nil
	}
	return err
}

// Parts returns the store as a storage.Store.
func (s *Store) Parts() storage.Store {
	return storage.Store{Records: s, Finder: s, Outbox: s, Leases: s, Marks: s, Connection: s}
}

// Ping implements storage.Connection. It checks that the file can be read, that this build may use
// its layout, and that the write lock can be taken.
func (s *Store) Ping(ctx context.Context) (time.Time, error) {
	if err := s.checkLayout(ctx); err != nil {
		return time.Time{}, err
	}
	var n int
	if err := s.ping.QueryRowContext(ctx).Scan(&n); err != nil {
		return time.Time{}, err
	}
	return time.Time{}, s.transact(ctx, writeNothing)
}

// writeNothing is the body of a transaction that only takes the write lock.
func writeNothing(*sql.Tx) error { return nil }

// Close implements storage.Connection.
func (s *Store) Close() error {
	var errs []error
	// The writer is closed last: it copies the WAL into the file.
	for _, db := range []*sql.DB{s.read, s.write} {
		if db != nil {
			errs = append(errs, db.Close())
		}
	}
	return errors.Join(errs...)
}

// ms and at convert times to the store's milliseconds and back; the zero time is 0.
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
