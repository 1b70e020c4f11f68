package sqlite_test

import (
	"encoding/base64"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/cloakroom/cloakroom/keys"
	"github.com/cloakroom/cloakroom/session/store/sqlite"
)

func TestKeyFileIsMadeOnceAndReadAgain(t *testing.T) {
	folder := t.TempDir()
	path := filepath.Join(folder, "test.db.key")
	key, err := sqlite.LoadOrCreateKey(path)
	if err != nil || key == (keys.Key{}) {
		t.Fatalf("key: %v", err)
	}
	again, err := sqlite.LoadOrCreateKey(path)
	if err != nil || key != again {
		t.Errorf("the second read has another key, or failed: %v", err)
	}
	st, err := os.Stat(path)
	if err != nil || st.Mode().Perm() != 0o600 {
		t.Errorf("mode = %v %v, want 0600", st.Mode(), err)
	}
	text, err := os.ReadFile(path)
	if err != nil || string(text) != key.Reveal()+"\n" {
		t.Errorf("the file is not what keygen prints: %v", err)
	}
	if all, _ := os.ReadDir(folder); len(all) != 1 {
		t.Errorf("files in the folder = %d, want only the key", len(all))
	}
}

func TestConcurrentCreatorsOfTheKeyFileGetOneKey(t *testing.T) {
	path := filepath.Join(t.TempDir(), "test.db.key")
	got := make([]keys.Key, 16)
	var all sync.WaitGroup
	for i := range got {
		all.Go(func() {
			var err error
			if got[i], err = sqlite.LoadOrCreateKey(path); err != nil {
				t.Errorf("load or create: %v", err)
			}
		})
	}
	all.Wait()
	for _, k := range got {
		if k != got[0] {
			t.Fatal("two callers have different keys")
		}
	}
}

func TestKeyFileThatOthersMayReadIsRefused(t *testing.T) {
	path := filepath.Join(t.TempDir(), "test.db.key")
	if _, err := sqlite.LoadOrCreateKey(path); err != nil {
		t.Fatal(err)
	}
	for _, mode := range []os.FileMode{0o640, 0o604, 0o660} {
		if err := os.Chmod(path, mode); err != nil {
			t.Fatal(err)
		}
		if _, err := sqlite.LoadOrCreateKey(path); err == nil || !strings.Contains(err.Error(), "chmod 600") {
			t.Errorf("mode %04o: %v, want a refusal that names the remedy", mode, err)
		}
	}
}

func TestKeyFileWithoutAKeyIsRefusedAndKept(t *testing.T) {
	tooShort := base64.StdEncoding.EncodeToString(make([]byte, 31))
	for _, content := range []string{"", "\n", "short", tooShort, strings.Repeat("!", 44)} {
		path := filepath.Join(t.TempDir(), "test.db.key")
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		_, err := sqlite.LoadOrCreateKey(path)
		if err == nil {
			t.Errorf("%q was taken for a key", content)
		} else if content != "" && strings.Contains(err.Error(), content) && content != "\n" {
			t.Errorf("the error shows what the file holds: %v", err)
		}
		if kept, _ := os.ReadFile(path); string(kept) != content {
			t.Errorf("the file was changed to %q", kept)
		}
	}
}
