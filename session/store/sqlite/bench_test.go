package sqlite_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/cloakroom/cloakroom/session/store/sqlite"
)

// The time to open a database that is there, which is part of the service's start.
func BenchmarkOpen(b *testing.B) {
	path := filepath.Join(b.TempDir(), "bench.db")
	if err := open(b, path).Close(); err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		s, err := sqlite.Open(context.Background(), path)
		if err != nil {
			b.Fatal(err)
		}
		if err := s.Close(); err != nil {
			b.Fatal(err)
		}
	}
}

// What a login (create), a renewal (update), activity (touch) and a logout (end) cost, each waiting
// for the disk.
func BenchmarkWrites(b *testing.B) {
	ctx, now := context.Background(), time.Now()
	for _, act := range []struct {
		name  string
		write func(s *sqlite.Store, i int) error
	}{
		{"create", func(s *sqlite.Store, i int) error { return s.Create(ctx, entry(fmt.Sprintf("new-%d", i), now)) }},
		{"update", func(s *sqlite.Store, i int) error {
			e := entry("s-0", now)
			e.Version = uint64(i + 1)
			return s.Update(ctx, e)
		}},
		{"touch", func(s *sqlite.Store, i int) error {
			at := now.Add(time.Duration(i) * time.Second)
			return s.Touch(ctx, "s-0", at, at.Add(30*time.Minute))
		}},
		{"end", func(s *sqlite.Store, i int) error {
			n := fmt.Sprintf("end-%d", i)
			if err := s.Create(ctx, entry(n, now)); err != nil {
				return err
			}
			return s.End(ctx, n, "logout", now)
		}},
	} {
		b.Run(act.name, func(b *testing.B) {
			s := open(b, filepath.Join(b.TempDir(), "bench.db"))
			if err := s.Create(ctx, entry("s-0", now)); err != nil {
				b.Fatal(err)
			}
			i := 0
			for b.Loop() {
				if err := act.write(s, i); err != nil {
					b.Fatal(err)
				}
				i++
			}
		})
	}
}

func BenchmarkLoadSQLite(b *testing.B) {
	s := open(b, filepath.Join(b.TempDir(), "bench.db"))
	ctx, now := context.Background(), time.Now()
	for i := range 1000 {
		if err := s.Create(ctx, entry(fmt.Sprintf("s-%d", i), now)); err != nil {
			b.Fatal(err)
		}
	}
	i := 0
	for b.Loop() {
		if _, err := s.Load(ctx, fmt.Sprintf("s-%d", i%1000)); err != nil {
			b.Fatal(err)
		}
		i++
	}
}

// How large the file is for each session, beside the sealed record itself.
func BenchmarkBytesPerSession(b *testing.B) {
	const sessions = 2000
	for b.Loop() {
		path := filepath.Join(b.TempDir(), "bench.db")
		s := open(b, path)
		for i := range sessions {
			if err := s.Create(context.Background(), entry(fmt.Sprintf("%043d", i), time.Now())); err != nil {
				b.Fatal(err)
			}
		}
		if err := s.Close(); err != nil { // folds the WAL into the file
			b.Fatal(err)
		}
		st, err := os.Stat(path)
		if err != nil {
			b.Fatal(err)
		}
		b.ReportMetric(float64(st.Size())/sessions, "B/session")
		b.ReportMetric(float64(len(entry("", time.Now()).Sealed)), "B/sealed")
	}
}
