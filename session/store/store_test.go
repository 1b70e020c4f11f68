package store_test

import (
	"context"
	"path/filepath"
	"strings"
	"testing"

	"github.com/cloakroom/cloakroom/session/store"
)

func TestURLsOpenTheirStores(t *testing.T) {
	for _, url := range []string{"memory:", "sqlite:" + filepath.Join(t.TempDir(), "test.db")} {
		s, err := store.Open(context.Background(), url)
		if err != nil {
			t.Errorf("open %q: %v", url, err)
			continue
		}
		if _, err := s.Connection.Ping(context.Background()); err != nil {
			t.Errorf("ping %q: %v", url, err)
		}
		if err := s.Connection.Close(); err != nil {
			t.Errorf("close %q: %v", url, err)
		}
	}
}

func TestOtherURLsAreRefusedWithoutShowingPasswords(t *testing.T) {
	for _, url := range []string{
		"", "memory", "memory:x", "sqlite:", "sqlite::memory:",
		"redis://user:hunter2@host/db", "mysql://u:hunter2@host/db", "hunter2", "/hunter2.db",
	} {
		s, err := store.Open(context.Background(), url)
		if err == nil {
			_ = s.Connection.Close()
			t.Errorf("%q was opened", url)
			continue
		}
		if strings.Contains(err.Error(), "hunter2") {
			t.Errorf("the error shows the URL: %v", err)
		}
		if !strings.Contains(err.Error(), "sqlite:PATH") && !strings.HasPrefix(url, "redis:") {
			t.Errorf("%q: %v, want what would be right", url, err)
		}
	}
}
