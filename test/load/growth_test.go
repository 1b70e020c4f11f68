package load

import (
	"context"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net/http/httptest"
	"os"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/cloakroom/cloakroom/keys"
	"github.com/cloakroom/cloakroom/secret"
	"github.com/cloakroom/cloakroom/session"
	"github.com/cloakroom/cloakroom/session/store"
	"github.com/cloakroom/cloakroom/site"
	"github.com/cloakroom/cloakroom/site/sitetest"
	"github.com/cloakroom/cloakroom/test/servers"
)

// sizes are the numbers of sessions with which a store is measured. SESSIONS adds one.
func sizes() []int {
	if more, err := strconv.Atoi(os.Getenv("SESSIONS")); err == nil {
		return []int{1_000, 100_000, more}
	}
	return []int{1_000, 100_000}
}

// A sizedStore is a server and a function that returns its size in bytes.
type sizedStore struct {
	url   string
	bytes func() int
}

// BenchmarkGrowth measures reading a session from the store, committing a renewal and a touch, with
// few and with many sessions: their duration, the CPU time of this process, and the server's bytes
// per session. Records are as large as with JWT access tokens.
func BenchmarkGrowth(b *testing.B) {
	stores := map[string]func(b *testing.B) sizedStore{"redis": sizedRedis, "postgres": sizedPostgres}
	for name, open := range stores {
		for _, size := range sizes() {
			b.Run(fmt.Sprintf("%s/%d", name, size), func(b *testing.B) { growth(b, open(b), size) })
		}
	}
}

func sizedRedis(b *testing.B) sizedStore {
	r := servers.Redis(b, "appendonly no")
	return sizedStore{r.URL(), func() int {
		for line := range strings.Lines(r.CLI("info", "memory")) {
			if n, found := strings.CutPrefix(strings.TrimSpace(line), "used_memory:"); found {
				bytes, _ := strconv.Atoi(n)
				return bytes
			}
		}
		return 0
	}}
}

func sizedPostgres(b *testing.B) sizedStore {
	pg := servers.Postgres(b, "fsync=off", "shared_buffers=1GB")
	return sizedStore{pg.URL(), func() (bytes int) {
		conn, err := pgx.Connect(b.Context(), pg.URL())
		if err != nil {
			b.Fatal(err)
		}
		defer func() { _ = conn.Close(context.Background()) }()
		err = conn.QueryRow(b.Context(), `SELECT coalesce(sum(pg_total_relation_size(c.oid)), 0) FROM pg_class c
			JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = 'cloakroom' AND c.relkind = 'r'`).Scan(&bytes)
		if err != nil {
			b.Fatal(err)
		}
		return bytes
	}}
}

func growth(b *testing.B, s sizedStore, size int) {
	opened, err := store.Open(b.Context(), s.url)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = opened.Connection.Close() })
	m, err := session.NewManager(session.Options{
		Store: opened, Keys: keys.NewRing(keys.Key{1}), Logger: slog.New(slog.DiscardHandler),
		Lifetime: 12 * time.Hour, IdleTimeout: time.Hour,
		Site: sitetest.New(b, "http://localhost", site.Options{CookieName: "c"}),
	})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(m.Close)
	empty := s.bytes()
	names := fill(b, m, size)
	perSession := float64(s.bytes()-empty) / float64(size)
	ctx := context.Background()
	renew := func(n session.Name) error {
		_, err := m.Commit(ctx, &session.Session{Name: n, Record: &session.Record{}},
			func(r *session.Record) error { r.Renewals++; return nil })
		return err
	}
	for _, act := range []struct {
		name string
		do   func(session.Name) error
	}{
		{"read", func(n session.Name) error { _, err := m.Newest(ctx, n); return err }},
		{"commit", renew},
		{"touch", func(n session.Name) error {
			return opened.Records.Touch(ctx, string(n), time.Now(), time.Now().Add(time.Hour))
		}},
	} {
		b.Run(act.name, func(b *testing.B) {
			cpu := used()
			for b.Loop() {
				if err := act.do(names[rand.IntN(len(names))]); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64((used()-cpu).Microseconds())/float64(b.N), "cpu-µs/op")
			b.ReportMetric(perSession, "bytes/session")
		})
	}
	b.Run("commits at once", func(b *testing.B) {
		began := time.Now()
		b.SetParallelism(32)
		b.RunParallel(func(pb *testing.PB) {
			for pb.Next() {
				if err := renew(names[rand.IntN(len(names))]); err != nil {
					b.Error(err)
				}
			}
		})
		b.ReportMetric(float64(b.N)/time.Since(began).Seconds(), "commits/s")
	})
}

// fill starts size sessions.
func fill(b *testing.B, m *session.Manager, size int) []session.Name {
	b.Helper()
	names := make([]session.Name, size)
	var next atomic.Int64
	var all sync.WaitGroup
	for range 32 {
		all.Go(func() {
			for i := next.Add(1) - 1; i < int64(size); i = next.Add(1) - 1 {
				s, err := m.Start(context.Background(), httptest.NewRecorder(), record(i), "")
				if err != nil {
					b.Errorf("start: %v", err)
					return
				}
				names[i] = s.Name
			}
		})
	}
	all.Wait()
	return names
}

// record has a typical size: two JWTs of 1 KB, a refresh token, seven claims.
func record(i int64) *session.Record {
	jwt := strings.Repeat("eyJhbGciOiJSUzI1NiJ9", 50)
	return &session.Record{
		Provider: "main", Issuer: "https://id.example.com",
		Subject: fmt.Sprintf("subject-%d", i), SID: fmt.Sprintf("sid-%d", i),
		Claims: []byte(`{"sub":"248289761001","name":"Alice Liddell","given_name":"Alice",` +
			`"family_name":"Liddell","email":"alice@example.com","email_verified":true,"locale":"en"}`),
		Scope: "openid profile email offline_access", TokenType: "Bearer",
		UserAgent: "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) " +
			"Chrome/140.0 Safari/537.36",
		AccessToken: secret.New(jwt), IDToken: secret.New(jwt),
		RefreshToken: secret.New(strings.Repeat("r", 64)),
	}
}

// used is the CPU time of this process.
func used() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
