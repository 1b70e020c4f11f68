package sqlite_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/cloakroom/cloakroom/session"
	"github.com/cloakroom/cloakroom/session/store/sqlite"
	"github.com/cloakroom/cloakroom/session/store/storetest"
)

// childVariable makes the test binary a process that writes until it is killed.
const childVariable = "CLOAKROOM_TEST_WRITE_TO"

func TestMain(m *testing.M) {
	if path := os.Getenv(childVariable); path != "" {
		writeUntilKilled(path)
	}
	goleak.VerifyTestMain(m)
}

func open(t *testing.T, path string) *sqlite.Store {
	t.Helper()
	s, err := sqlite.Open(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
	})
	return s
}

func TestSQLiteBehavesAsAStore(t *testing.T) {
	storetest.Run(t, func(t *testing.T) session.Store { return open(t, filepath.Join(t.TempDir(), "a b#?.db")) })
}

func TestFilesAreTheOwnersAlone(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s.db")
	s := open(t, path)
	if err := s.Create(t.Context(), entry("a")); err != nil {
		t.Fatal(err)
	}
	for _, f := range []string{path, path + "-wal", path + "-shm"} {
		st, err := os.Stat(f)
		if err != nil {
			t.Fatal(err)
		}
		if st.Mode().Perm() != 0o600 {
			t.Errorf("%s has mode %04o, want 0600", filepath.Base(f), st.Mode().Perm())
		}
	}
}

func entry(name string) session.Entry {
	return session.Entry{
		Name: session.Name(name), Sealed: []byte(name), Provider: "main", Indices: []string{"k"},
		CreatedAt: time.Now(), ExpiresAt: time.Now().Add(time.Hour), LastActive: time.Now(),
	}
}

// writeUntilKilled creates and ends sessions and says after each step that it is done.
func writeUntilKilled(path string) {
	s, err := sqlite.Open(context.Background(), path)
	for i := 0; err == nil; i++ {
		name := fmt.Sprintf("s%04d", i)
		if err = s.Create(context.Background(), entry(name)); err != nil {
			break
		}
		fmt.Println("created", name)
		if i%2 == 0 {
			err = s.End(context.Background(), session.Name(name), session.ReasonLogout, time.Now())
			fmt.Println("ended", name)
		}
	}
	fmt.Println("failed", err)
	os.Exit(1)
}

// What the store said it wrote is there after kill -9, ends and their outbox items together (RV4).
func TestNothingThatWasWrittenIsLostByAKill(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s.db")
	child := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^$")
	child.Env = append(os.Environ(), childVariable+"="+path)
	out, err := child.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	created, ended := map[string]bool{}, map[string]bool{}
	for lines := bufio.NewScanner(out); len(ended) < 60 && lines.Scan(); {
		what, name, _ := strings.Cut(lines.Text(), " ")
		switch what {
		case "created":
			created[name] = true
		case "ended":
			ended[name] = true
		default:
			t.Fatalf("the writer said %q", lines.Text())
		}
	}
	if err := child.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = child.Wait() // it was killed

	s := open(t, path)
	items, _, err := s.Revocations(t.Context(), 10_000)
	if err != nil {
		t.Fatal(err)
	}
	outbox := map[string]bool{}
	for _, i := range items {
		outbox[i.ID] = true
	}
	for name := range created {
		_, err := s.Load(t.Context(), session.Name(name))
		live := err == nil
		if !live && !errors.Is(err, session.ErrNotFound) {
			t.Fatal(err)
		}
		switch {
		case ended[name] && (live || !outbox[name]):
			t.Errorf("%s had ended: live %v, in the outbox %v", name, live, outbox[name])
		case live == outbox[name]:
			t.Errorf("%s: live %v, in the outbox %v; want exactly one", name, live, outbox[name])
		}
	}
}

func TestKeyFileIsMadeOnceAndKeptPrivate(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s.db.key")
	first, err := sqlite.LoadOrCreateKey(path)
	if err != nil || len(first) != 32 {
		t.Fatalf("key = %d bytes, %v", len(first), err)
	}
	again, err := sqlite.LoadOrCreateKey(path)
	if err != nil || string(again) != string(first) {
		t.Errorf("the second key differs: %v", err)
	}
	if err := os.Chmod(path, 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := sqlite.LoadOrCreateKey(path); err == nil || !strings.Contains(err.Error(), "chmod 600") {
		t.Errorf("a key that others may read = %v, want a refusal that says what to do", err)
	}
	if err := os.WriteFile(path, []byte("nonsense"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(path, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := sqlite.LoadOrCreateKey(path); err == nil || strings.Contains(err.Error(), "nonsense") {
		t.Errorf("a broken key file = %v, want an error that does not show it", err)
	}
}
