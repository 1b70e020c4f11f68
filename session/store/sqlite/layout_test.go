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

	"github.com/cloakroom/cloakroom/session/storage"
	"github.com/cloakroom/cloakroom/session/store/sqlite"
	"github.com/cloakroom/cloakroom/session/store/storetest"
)

func TestNextLayoutIsUsedAndTheOneAfterItRefused(t *testing.T) {
	path := filepath.Join(t.TempDir(), "next.db")
	s := open(t, path)
	db, err := sql.Open("sqlite", path)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	var ours int
	if err := db.QueryRow("PRAGMA user_version").Scan(&ours); err != nil {
		t.Fatal(err)
	}
	set := func(version int) {
		t.Helper()
		if _, err := db.Exec(fmt.Sprintf("PRAGMA user_version = %d", version)); err != nil {
			t.Fatal(err)
		}
	}
	set(ours + 1)
	now := time.Now()
	for i, s := range []*sqlite.Store{s, open(t, path)} {
		if err := errors.Join(ping(t, s), s.Create(t.Context(), entry(fmt.Sprint(i), now))); err != nil {
			t.Errorf("beside the next build: %v", err)
		}
	}
	seen, err := sqlite.Inspect(t.Context(), path)
	if err != nil || !strings.Contains(seen.Layout, "of a newer build") {
		t.Errorf("state = %q %v, want that it is a newer build's", seen.Layout, err)
	}
	set(ours + 2)
	for range 2 {
		if _, err := s.Ping(t.Context()); err == nil || !strings.Contains(err.Error(), "run the newer build") {
			t.Errorf("ping of a file that became too new: %v, want what to do", err)
		}
	}
	if err := s.Create(t.Context(), entry("more", now)); err == nil || errors.Is(err, storage.ErrExists) {
		t.Errorf("create in a file that became too new: %v", err)
	}
	remedy := fmt.Sprintf("makes version %d", ours+1)
	if _, err := sqlite.Open(context.Background(), path); err == nil ||
		!strings.Contains(err.Error(), remedy) {
		t.Errorf("open: %v, want what to do", err)
	}
	if _, err := sqlite.Inspect(t.Context(), path); err == nil {
		t.Error("inspect finds nothing wrong with a file that is too new")
	}
}

// The subcommand check inspects a store and must not migrate it.
func TestInspectLeavesTheLayoutAsItIs(t *testing.T) {
	path := filepath.Join(t.TempDir(), "old.db")
	db, err := sql.Open("sqlite", path)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if _, err := db.Exec("PRAGMA user_version = 1"); err != nil {
		t.Fatal(err)
	}
	seen, err := sqlite.Inspect(t.Context(), path)
	if err != nil || !strings.Contains(seen.Layout, "version 1; the next start brings it to") {
		t.Errorf("state = %q %v, want what the next start does", seen.Layout, err)
	}
	var version int
	if err := db.QueryRow("PRAGMA user_version").Scan(&version); err != nil || version != 1 {
		t.Errorf("version = %d %v, want 1 as it was", version, err)
	}
}

func TestPreviousBuildWorksAfterTheMigrations(t *testing.T) {
	files, err := filepath.Glob("schema*.sql")
	if err != nil || len(files) < 2 {
		t.Fatalf("migrations = %v %v", files, err)
	}
	for _, file := range append(files, "testdata/next.sql") {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		storetest.Additive(t, file, string(text))
	}
}

func ping(t *testing.T, s *sqlite.Store) error {
	t.Helper()
	_, err := s.Ping(t.Context())
	return err
}
