package sqlite_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/cloakroom/cloakroom/session/storage"
	"github.com/cloakroom/cloakroom/session/store/sqlite"
	"github.com/cloakroom/cloakroom/session/store/storetest"
)

func TestMain(m *testing.M) {
	if path := os.Getenv(writerEnv); path != "" {
		writeUntilKilled(path)
	}
	goleak.VerifyTestMain(m)
}

func open(t testing.TB, path string) *sqlite.Store {
	t.Helper()
	s, err := sqlite.Open(context.Background(), path)
	if err != nil {
		t.Fatalf("open: %v", err)
	}
	t.Cleanup(func() { _ = s.Close() }) // a test may have closed it before
	return s
}

// A file is a store that knows its path.
type file struct {
	*sqlite.Store
	path string
}

func (f file) Parts() storage.Store {
	parts := f.Store.Parts()
	parts.Connection = f
	return parts
}

func TestSQLiteStoreBehavesAsAStore(t *testing.T) {
	openFile := func(t *testing.T, path string) storage.Store { return file{open(t, path), path}.Parts() }
	storetest.Run(t,
		func(t *testing.T) storage.Store { return openFile(t, filepath.Join(t.TempDir(), "test.db")) },
		storetest.Durable(func(t *testing.T, s storage.Store) storage.Store {
			if err := s.Connection.Close(); err != nil {
				t.Fatalf("close: %v", err)
			}
			return openFile(t, s.Connection.(file).path)
		}),
		storetest.Outage(func(t *testing.T, s storage.Store) func() { return lock(t, s.Connection.(file).path) }),
	)
}

// lock takes the write lock, as a process that hangs in a transaction does.
func lock(t *testing.T, path string) (unlock func()) {
	t.Helper()
	db, err := sql.Open("sqlite", path)
	if err != nil {
		t.Fatal(err)
	}
	db.SetMaxOpenConns(1)
	if _, err := db.Exec("BEGIN IMMEDIATE"); err != nil {
		t.Fatalf("lock: %v", err)
	}
	return func() {
		if _, err := db.Exec("ROLLBACK"); err != nil {
			t.Errorf("unlock: %v", err)
		}
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	}
}

func TestFullDiskIsAnOutageAndTheFileStaysWhole(t *testing.T) {
	path := filepath.Join(t.TempDir(), "full.db")
	s := open(t, path)
	ctx := context.Background()
	now := time.Now()
	kept := entry("kept", now)
	if err := s.Create(ctx, kept); err != nil {
		t.Fatalf("create: %v", err)
	}
	s.LimitPages(t, 40)
	var full error
	for i := 0; full == nil && i < 200; i++ {
		full = s.Create(ctx, entry(fmt.Sprintf("n%d", i), now))
	}
	if full == nil || errors.Is(full, storage.ErrExists) || errors.Is(full, storage.ErrNotFound) {
		t.Fatalf("create on a full disk: %v, want an outage", full)
	}
	if _, err := s.Load(ctx, "kept"); err != nil {
		t.Errorf("load on a full disk: %v", err)
	}
	s.LimitPages(t, 1<<30)
	if err := s.End(ctx, "kept", "logout", now); err != nil {
		t.Errorf("end when there is room again: %v", err)
	}
}

func TestReadOnlyFileIsRefusedAtTheStart(t *testing.T) {
	if os.Getuid() == 0 {
		// root may write everywhere; a folder in the file's place serves as well.
		_, err := sqlite.Open(context.Background(), t.TempDir())
		if err == nil {
			t.Error("a folder was opened as a database")
		}
		return
	}
	path := filepath.Join(t.TempDir(), "ro.db")
	if err := os.WriteFile(path, nil, 0o400); err != nil {
		t.Fatal(err)
	}
	if _, err := sqlite.Open(context.Background(), path); err == nil {
		t.Error("a read-only file was opened")
	}
}

func TestOnlyTheOwnerCanReadTheFiles(t *testing.T) {
	path := filepath.Join(t.TempDir(), "mode.db")
	if err := os.WriteFile(path, nil, 0o644); err != nil { // an operator's touch, or an earlier umask
		t.Fatal(err)
	}
	s := open(t, path)
	if err := s.Create(context.Background(), entry("one", time.Now())); err != nil {
		t.Fatal(err)
	}
	for _, suffix := range []string{"", "-wal", "-shm"} {
		st, err := os.Stat(path + suffix)
		if err != nil {
			t.Fatal(err)
		}
		if mode := st.Mode().Perm(); mode != 0o600 {
			t.Errorf("mode of %s = %04o, want 0600", filepath.Base(path+suffix), mode)
		}
	}
}

func TestPathsAreTakenLiterally(t *testing.T) {
	folder := t.TempDir()
	for _, name := range []string{
		"plain.db", "with space.db", "100%.db", "what?mode=memory", "a#b.db", "ü.db", "a:b.db",
	} {
		path := filepath.Join(folder, name)
		s := open(t, path)
		if err := s.Create(context.Background(), entry("one", time.Now())); err != nil {
			t.Errorf("create in %q: %v", name, err)
		}
		if err := s.Close(); err != nil {
			t.Error(err)
		}
		if st, err := os.Stat(path); err != nil || st.Size() == 0 {
			t.Errorf("nothing was written to %q: %v", name, err)
		}
	}
}

func TestPathsThatAreNoDatabaseAreRefused(t *testing.T) {
	garbage := filepath.Join(t.TempDir(), "garbage.db")
	if err := os.WriteFile(garbage, []byte(strings.Repeat("not a database. ", 512)), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{"", ":memory:", filepath.Join(t.TempDir(), "no", "such", "folder.db"), garbage} {
		s, err := sqlite.Open(context.Background(), path)
		if err == nil {
			_ = s.Close()
			t.Errorf("%q was opened", path)
			continue
		}
		t.Logf("%q: %v", path, err)
	}
}

func TestFileOfANewerBuildIsRefusedAndLeftAlone(t *testing.T) {
	path := filepath.Join(t.TempDir(), "newer.db")
	if err := open(t, path).Close(); err != nil {
		t.Fatal(err)
	}
	db, err := sql.Open("sqlite", path)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close() // nothing is written after
	if _, err := db.Exec("PRAGMA user_version = 99"); err != nil {
		t.Fatal(err)
	}
	if _, err := sqlite.Open(context.Background(), path); err == nil || !strings.Contains(err.Error(), "newer build") {
		t.Errorf("open = %v, want an error that names the newer build", err)
	}
	var version int
	if err := db.QueryRow("PRAGMA user_version").Scan(&version); err != nil || version != 99 {
		t.Errorf("version afterwards = %d %v, want 99", version, err)
	}
}

func TestTwoProcessesMayOpenOneFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "two.db")
	one, two := open(t, path), open(t, path)
	ctx := context.Background()
	if err := one.Create(ctx, entry("one", time.Now())); err != nil {
		t.Fatal(err)
	}
	if _, err := two.Load(ctx, "one"); err != nil {
		t.Errorf("load in the other: %v", err)
	}
	if err := two.End(ctx, "one", "logout", time.Now()); err != nil {
		t.Errorf("end in the other: %v", err)
	}
	if _, err := one.Load(ctx, "one"); !errors.Is(err, storage.ErrNotFound) {
		t.Errorf("load after the other ended it: %v, want %v", err, storage.ErrNotFound)
	}
}

// entry is a record of the size that a session with three tokens has.
func entry(name string, now time.Time) storage.Entry {
	return storage.Entry{
		Name: name, Sealed: make([]byte, 3<<10), Provider: "main",
		Indices:   []string{storage.IndexKey("subject", "main", name), storage.IndexKey("id", name), storage.IndexKey("sid", "main", name)},
		CreatedAt: now, ExpiresAt: now.Add(12 * time.Hour), IdleExpires: now.Add(30 * time.Minute), LastActive: now,
	}
}
