package postgres_test

import (
	"context"
	"crypto/rand"
	"flag"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/cloakroom/cloakroom/session/storage"
	"github.com/cloakroom/cloakroom/session/store/postgres"
)

var sessions = flag.Int("sessions", 1000, "how many sessions a benchmark's store has")

// benchEntry returns a record of the size that a provider with JWT access tokens needs.
func benchEntry(i int) storage.Entry {
	e := entry()
	e.Name = fmt.Sprintf("%043d", i)
	e.Sealed = make([]byte, 3000)
	_, _ = rand.Read(e.Sealed) // what is sealed can't be compressed
	e.Indices = []string{fmt.Sprintf("%043d", i), fmt.Sprintf("sid-%039d", i)}
	return e
}

func fill(b *testing.B, s *postgres.Store) {
	b.Helper()
	for i := range *sessions {
		if err := s.Create(context.Background(), benchEntry(i)); err != nil {
			b.Fatal(err)
		}
	}
}

// This measures a request (load), a renewal (update), activity (touch), a login (create) and a
// logout (end, of a record that is created for it), for one caller and for sixteen concurrent ones.
// The server flushes to the disk as it does in production.
func BenchmarkCalls(b *testing.B) {
	g := newGroup(b)
	s := g.openNew(b)
	fill(b, s)
	ctx := context.Background()
	var fresh atomic.Int64
	fresh.Store(1 << 40)
	for _, act := range []struct {
		name string
		do   func(e *storage.Entry) error
	}{
		{"load", func(e *storage.Entry) error { _, err := s.Load(ctx, e.Name); return err }},
		{"update", func(e *storage.Entry) error {
			err := s.Update(ctx, *e)
			e.Version++
			return err
		}},
		{"touch", func(e *storage.Entry) error {
			e.LastActive, e.IdleExpires = e.LastActive.Add(time.Second), e.IdleExpires.Add(time.Second)
			return s.Touch(ctx, e.Name, e.LastActive, e.IdleExpires)
		}},
		{"create", func(*storage.Entry) error { return s.Create(ctx, benchEntry(int(fresh.Add(1)))) }},
		{"create and end", func(*storage.Entry) error {
			e := benchEntry(int(fresh.Add(1)))
			if err := s.Create(ctx, e); err != nil {
				return err
			}
			return s.End(ctx, e.Name, "logout", time.Now())
		}},
		{"count", func(*storage.Entry) error { _, err := s.Count(ctx); return err }},
	} {
		b.Run(strings.ReplaceAll(act.name, " ", "-")+"/one", func(b *testing.B) {
			e := own(b, s, &fresh)
			for b.Loop() {
				if err := act.do(&e); err != nil {
					b.Fatal(err)
				}
			}
		})
		b.Run(strings.ReplaceAll(act.name, " ", "-")+"/crowd", func(b *testing.B) {
			b.SetParallelism(8) // for each processor
			b.RunParallel(func(pb *testing.PB) {
				e := own(b, s, &fresh)
				for pb.Next() {
					if err := act.do(&e); err != nil {
						b.Error(err)
						return
					}
				}
			})
		})
	}
}

// own returns a record that no other caller writes.
func own(b *testing.B, s *postgres.Store, fresh *atomic.Int64) storage.Entry {
	e := benchEntry(int(fresh.Add(1)))
	if err := s.Create(context.Background(), e); err != nil {
		b.Error(err)
	}
	return e
}

// This measures how many bytes the schema needs for each session in addition to the sealed record:
// after it was written, and after each session was touched and renewed ten times, with a vacuum
// after each round.
func BenchmarkBytesPerSession(b *testing.B) {
	g := newGroup(b, "fsync=off")
	for b.Loop() {
		s := g.openNew(b)
		client := g.connect(b, g.schemaOf(s))
		size := func() float64 {
			var bytes int
			err := client.QueryRow(context.Background(), `SELECT sum(pg_total_relation_size(c.oid)) FROM pg_class c
				JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = current_schema AND c.relkind = 'r'`).Scan(&bytes)
			if err != nil {
				b.Fatal(err)
			}
			return float64(bytes)
		}
		empty := size()
		fill(b, s)
		b.ReportMetric(3000, "B/sealed")
		b.ReportMetric((size()-empty)/float64(*sessions), "B/session")
		for round := range 10 {
			at := time.Now().Add(time.Duration(round) * time.Minute)
			for i := range *sessions {
				e := benchEntry(i)
				e.Version = uint64(round + 1)
				if err := s.Touch(context.Background(), e.Name, at, at.Add(time.Hour)); err != nil {
					b.Fatal(err)
				}
				if err := s.Update(context.Background(), e); err != nil {
					b.Fatal(err)
				}
			}
			client.do("VACUUM") // autovacuum would have come sooner
		}
		b.ReportMetric((size()-empty)/float64(*sessions), "B/used-session")
	}
}
