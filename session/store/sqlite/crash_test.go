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

// writeUntilKilled creates sessions, renews each, and ends every other one. It prints each step
// once the store has confirmed it.
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

// All that the store confirmed survives kill -9: sessions at their newest version, and in the
// outbox the tokens of those that ended.
func TestWhatWasWrittenSurvivesKill9(t *testing.T) {
	path := filepath.Join(t.TempDir(), "killed.db")
	printed := map[string]string{}
	for round := range 3 {
		runAndKill(t, path, 50+37*round, printed)
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
	for name, last := range printed {
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
	if len(printed) < 50 {
		t.Errorf("only %d sessions were written; want enough to test with", len(printed))
	}
}

// runAndKill lets a child process write until it has printed a number of lines, and kills it in the
// middle of the next step.
func runAndKill(t *testing.T, path string, lines int, printed map[string]string) {
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
			printed[name] = what
		}
	}
	if err := cmd.Wait(); err == nil || failure.Len() > 0 {
		t.Fatalf("the writer ended with %v before it was killed: %s", err, failure.String())
	}
}
