package sqlite

import (
	"fmt"
	"testing"
)

// LimitPages makes the disk look full at that many pages.
func (s *Store) LimitPages(t testing.TB, pages int) {
	t.Helper()
	if _, err := s.write.Exec(fmt.Sprintf("PRAGMA max_page_count = %d", pages)); err != nil {
		t.Fatalf("limit pages: %v", err)
	}
}

// Check is SQLite's own verdict on the file.
func (s *Store) Check(t testing.TB) string {
	t.Helper()
	var verdict string
	if err := s.read.QueryRow("PRAGMA integrity_check").Scan(&verdict); err != nil {
		t.Fatalf("integrity check: %v", err)
	}
	return verdict
}
