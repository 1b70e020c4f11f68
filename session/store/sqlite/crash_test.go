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

	"github.com/cloakroom/cloakroom/session/storage"
	"github.com/cloakroom/cloakroom/session/store/sqlite"
)

// writerEnv names the database that a child process of this test writes to until it is killed.
const writerEnv = "CLOAKROOM_TEST_WRITE_UNTIL_KILLED"

// writeUntilKilled starts sessions, renews each, and ends every other one. It says what it did only
// after the store said that it was done.
func writeUntilKilled(path string) {
	ctx := context.Background()
	s, err := sqlite.Open(ctx, path)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	for i := 0; ; i++ {
		e := entry(fmt.Sprintf("s-%d-%d", os.Getpid(), i), time.Now())
		e.Version = 1
		err := s.Create(ctx, e)
		fmt.Println("created", e.Name)
		e.Sealed = []byte("renewed " + e.Name)
		err = errors.Join(err, s.Update(ctx, e))
		fmt.Println("renewed", e.Name)
		if i%2 == 0 {
			err = errors.Join(err, s.End(ctx, e.Name, "logout", time.Now()))
			fmt.Println("ended", e.Name)
		}
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
	}
}

// What a store said it wrote is there after kill -9: sessions at their newest version, and the tokens of
// those that ended in the outbox.
func TestWhatWasWrittenSurvivesKill9(t *testing.T) {
	path := filepath.Join(t.TempDir(), "killed.db")
	said := map[string]string{}
	for round := range 3 {
		runAndKill(t, path, 50+37*round, said)
	}
	s := open(t, path)
	if verdict := s.Check(t); verdict != "ok" {
		t.Errorf("integrity check = %s", verdict)
	}
	ctx := context.Background()
	items, err := s.Lease(ctx, time.Now().Add(time.Hour), time.Minute, 10_000)
	if err != nil {
		t.Fatalf("lease: %v", err)
	}
	outbox := map[string]string{}
	for _, r := range items {
		outbox[r.Origin] = string(r.Sealed)
	}
	for name, last := range said {
		e, err := s.Load(ctx, name)
		sealed, ended := outbox[name]
		switch {
		case last == "ended" && (!errors.Is(err, storage.ErrNotFound) || sealed != "renewed "+name):
			t.Errorf("%s ended: load says %v, outbox has %q", name, err, sealed)
		case last == "renewed" && !ended && (err != nil || e.Version != 2 || string(e.Sealed) != "renewed "+name):
			t.Errorf("%s was renewed: version %d, %v", name, e.Version, err)
		case last == "created" && !ended && err != nil:
			t.Errorf("%s was created: %v", name, err)
		}
	}
	if len(said) < 50 {
		t.Errorf("only %d sessions were written; nothing was shown", len(said))
	}
}

// runAndKill lets a child write until it said so many things, and kills it in the middle of the next.
func runAndKill(t *testing.T, path string, lines int, said map[string]string) {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(exe, "-test.run=^$")
	cmd.Env = append(os.Environ(), writerEnv+"="+path)
	var failure strings.Builder
	cmd.Stderr = &failure
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	scan := bufio.NewScanner(out)
	for n := 0; scan.Scan(); n++ {
		if n == lines {
			if err := cmd.Process.Kill(); err != nil { // SIGKILL
				t.Errorf("kill: %v", err)
			}
		}
		if what, name, ok := strings.Cut(scan.Text(), " "); ok && strings.HasPrefix(name, "s-") {
			said[name] = what
		}
	}
	if err := cmd.Wait(); err == nil || failure.Len() > 0 {
		t.Fatalf("the writer was to be killed, and ended with %v: %s", err, failure.String())
	}
}
