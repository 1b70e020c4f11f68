// Package sqlite keeps sessions in one file: the embedded default, for one machine.
//
// What it said it wrote survives a kill and a power cut, the outbox included: a logout that was
// answered must not be forgotten with tokens still to revoke. Each write therefore waits for the disk,
// which is this store's weak point: it writes some hundreds of times a second, not thousands.
//
// There is one connection that writes and a few that read (WAL lets them), so a reader never waits for a
// writer. Two processes may open the same file, but only on one machine.
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

// A Store is all parts of a storage.Store, without a Feed, in an SQLite file.
type Store struct {
	write *sql.DB // one connection
	read  *sql.DB
	left  atomic.Pointer[layout.MismatchError] // why the file was closed before Close
	statements
}

// Open opens the database at path, making it (mode 0600) if it is not there; its folder must be. A file
// that others may read is closed to them.
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

// makePrivate makes the file before SQLite would, so that it never exists with wider permissions; its
// -wal and -shm files take the same mode.
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

// connect sets what every connection needs: WAL; FULL, so that a commit is on the disk when it returns; a
// busy time-out for the other process, which ends with the context; deleted records overwritten.
func connect(path string, connections int, readOnly bool) (*sql.DB, error) {
	q := url.Values{"_pragma": {
		"busy_timeout(5000)", "journal_mode(WAL)", "synchronous(FULL)", "foreign_keys(1)", "secure_delete(1)",
		"cache_size(-2000)", "temp_store(MEMORY)", "trusted_schema(0)", "journal_size_limit(16777216)",
	}}
	if readOnly {
		q.Add("_pragma", "query_only(1)")
	} else {
		q.Set("_txlock", "immediate") // a transaction that reads first must not find the lock taken when it writes
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

// migrations bring a file from one layout version, which is kept in user_version, to the next. They are only ever added
// to.
//
// A migration must leave the build before it working, which may run beside this one during an upgrade, and after it is
// rolled back: it adds tables, indices, and columns that are nullable or have a default. What is no longer needed is
// taken away by a later one, two versions after the last that used it.
func migrations() []string { return append([]string{schema, schema2}, nextMigrations()...) }

// nobody: who else uses a file can't be asked. Builds that are too old find out at their next ping.
func nobody() (bool, error) { return false, nil }

// migrate brings an older file up to this build's layout. That of the next build is left as it is, and what is newer is
// refused, since this build can't know what it would destroy.
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

// stillOurs looks at the version that the file has by now: a newer build may have changed it. If this build must leave
// it alone, the file is closed, so that every other call fails.
func (s *Store) stillOurs(ctx context.Context) error {
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

// ignoreDone drops the error of rolling back what a cancelled context rolled back already.
func ignoreDone(err error) error {
	if errors.Is(err, sql.ErrTxDone) {
		return nil
	}
	return err
}

// Parts is the store as its users are handed it.
func (s *Store) Parts() storage.Store {
	return storage.Store{Records: s, Finder: s, Outbox: s, Leases: s, Marks: s, Connection: s}
}

// Ping implements storage.Connection: the file can be read, its layout is one that this build may use, and nobody keeps us
// from writing.
func (s *Store) Ping(ctx context.Context) (time.Time, error) {
	if err := s.stillOurs(ctx); err != nil {
		return time.Time{}, err
	}
	var n int
	if err := s.ping.QueryRowContext(ctx).Scan(&n); err != nil {
		return time.Time{}, err
	}
	return time.Time{}, s.transact(ctx, touchNothing)
}

// touchNothing is a transaction that shows whether there can be one.
func touchNothing(*sql.Tx) error { return nil }

// Close implements storage.Connection.
func (s *Store) Close() error {
	var errs []error
	for _, db := range []*sql.DB{s.read, s.write} { // the writer last: it folds the WAL into the file
		if db != nil {
			errs = append(errs, db.Close())
		}
	}
	return errors.Join(errs...)
}

// ms and at turn times into the store's milliseconds and back; the zero time is 0.
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
