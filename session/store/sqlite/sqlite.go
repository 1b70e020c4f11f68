// Package sqlite keeps sessions in one file: the embedded default, for one machine. What it said it
// wrote survives a kill and a power cut, the outbox included.
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

	_ "modernc.org/sqlite" // the driver, in pure Go
)

//go:embed schema.sql
var schema string

// schemaVersion is the newest that this build knows; it is kept in user_version.
const schemaVersion = 1

// A Store is a session.Store in an SQLite file.
type Store struct {
	write *sql.DB // one connection
	read  *sql.DB
}

// Open opens the database at path, making it (mode 0600) if it is not there. Its folder must be.
func Open(ctx context.Context, path string) (*Store, error) {
	if path == "" {
		return nil, errors.New("open SQLite store: no path is given; write sqlite:PATH")
	}
	if err := makePrivate(path); err != nil {
		return nil, err
	}
	s := &Store{}
	var err error
	if s.write, err = open(path, 1, false); err != nil {
		return nil, err
	}
	if s.read, err = open(path, 4, true); err != nil {
		return nil, errors.Join(err, s.write.Close())
	}
	if err := s.migrate(ctx); err != nil {
		return nil, errors.Join(fmt.Errorf("open SQLite store %q: %w", path, err), s.Close())
	}
	return s, nil
}

// makePrivate makes the file before SQLite would, so that it never exists with wider permissions;
// its -wal and -shm files take the same mode.
func makePrivate(path string) error {
	f, err := os.OpenFile(filepath.Clean(path), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return fmt.Errorf("open SQLite store: %w", err)
	}
	return f.Close()
}

// open sets what every connection needs: WAL; FULL, so that a commit is on the disk when it returns;
// a busy time-out for the other process; deleted records overwritten.
func open(path string, connections int, readOnly bool) (*sql.DB, error) {
	q := url.Values{"_pragma": {
		"busy_timeout(2000)", "journal_mode(WAL)", "synchronous(FULL)", "foreign_keys(1)", "secure_delete(1)",
		"cache_size(-2000)", "temp_store(MEMORY)",
	}}
	if readOnly {
		q.Add("_pragma", "query_only(1)")
	} else {
		q.Set("_txlock", "immediate")
	}
	db, err := sql.Open("sqlite", "file:"+(&url.URL{Path: path}).EscapedPath()+"?"+q.Encode())
	if err != nil {
		return nil, fmt.Errorf("open SQLite store: %w", err)
	}
	db.SetMaxOpenConns(connections)
	db.SetMaxIdleConns(connections)
	return db, nil
}

// migrate brings an older file up to this build's schema; a newer one is refused.
func (s *Store) migrate(ctx context.Context) error {
	return s.transact(ctx, func(tx *sql.Tx) error {
		var v int
		if err := tx.QueryRowContext(ctx, "PRAGMA user_version").Scan(&v); err != nil {
			return err
		}
		switch {
		case v == schemaVersion:
			return nil
		case v > schemaVersion:
			return fmt.Errorf("it has schema version %d, and this build knows %d: run the newer build", v, schemaVersion)
		}
		if _, err := tx.ExecContext(ctx, schema); err != nil {
			return err
		}
		_, err := tx.ExecContext(ctx, fmt.Sprintf("PRAGMA user_version = %d", schemaVersion))
		return err
	})
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

// Ping implements session.Store: the file can be read, and written.
func (s *Store) Ping(ctx context.Context) error {
	var n int
	if err := s.read.QueryRowContext(ctx, "SELECT 1").Scan(&n); err != nil {
		return err
	}
	return s.write.PingContext(ctx)
}

// Close implements session.Store.
func (s *Store) Close() error {
	var err error
	if s.read != nil {
		err = s.read.Close()
	}
	return errors.Join(err, s.write.Close())
}
