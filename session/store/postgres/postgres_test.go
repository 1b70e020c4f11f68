package postgres_test

import (
	"context"
	"crypto/rand"
	"errors"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"go.uber.org/goleak"

	"github.com/cloakroom/cloakroom/session"
	"github.com/cloakroom/cloakroom/session/store/postgres"
	"github.com/cloakroom/cloakroom/session/store/storetest"
	"github.com/cloakroom/cloakroom/test/servers"
)

// A group is the stores of one server, each in a schema of its own.
type group struct {
	url  string
	urls map[session.Store]string
}

func newGroup(url string) *group { return &group{url: url, urls: map[session.Store]string{}} }

func (g *group) open(t *testing.T) session.Store {
	t.Helper()
	return g.openURL(t, withSchema(t, g.url, "t_"+strings.ToLower(rand.Text()[:8])))
}

func withSchema(t *testing.T, raw, schema string) string {
	t.Helper()
	u, err := url.Parse(raw)
	if err != nil {
		t.Fatal(err)
	}
	q := u.Query()
	q.Set("schema", schema)
	u.RawQuery = q.Encode()
	return u.String()
}

func (g *group) openURL(t *testing.T, url string) *postgres.Store {
	t.Helper()
	s, err := postgres.Open(t.Context(), url)
	if err != nil {
		t.Fatalf("open: %v", err)
	}
	t.Cleanup(func() { _ = s.Close() })
	g.urls[s] = url
	return s
}

// another opens the same store once more.
func (g *group) another(t *testing.T, s session.Store) session.Line {
	t.Helper()
	return g.openURL(t, g.urls[s])
}

func TestPostgreSQLBehavesAsAStore(t *testing.T) {
	server := servers.Postgres(t)
	g := newGroup(server.URL())
	storetest.Run(t, g.open, storetest.Shared(g.another),
		storetest.Durable(func(t *testing.T, s session.Store) session.Store {
			_ = s.Close()
			server.Kill()
			server.Start()
			return g.another(t, s)
		}),
		storetest.Outage(func(_ *testing.T, _ session.Store) func() {
			server.Pause()
			return server.Continue
		}))
}

func entry() session.Entry {
	now := time.Now()
	return session.Entry{
		Name: session.Name(rand.Text()), Version: 1, Sealed: []byte("sealed " + rand.Text()), Provider: "main", Indices: []string{"k-" + rand.Text()},
		CreatedAt: now, ExpiresAt: now.Add(time.Hour), IdleExpires: now.Add(time.Hour), LastActive: now,
	}
}

func TestServerThatIsDownAtTheStartIsFoundLaterAndAfterItsRestart(t *testing.T) {
	server := servers.Postgres(t)
	server.Stop()
	s := newGroup(server.URL()).open(t)
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
	defer cancel()
	if _, err := s.Load(ctx, "name"); err == nil || errors.Is(err, session.ErrNotFound) {
		t.Errorf("load without a server: %v", err)
	}
	server.Start()
	if err := s.Ping(t.Context()); err != nil {
		t.Fatalf("ping once it is up: %v", err)
	}
	e := entry()
	if err := s.Create(t.Context(), e); err != nil {
		t.Fatal(err)
	}
	server.Kill()
	server.Start()
	for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		_, err := s.Load(t.Context(), e.Name)
		if err == nil {
			break
		}
		if errors.Is(err, session.ErrNotFound) || time.Now().After(deadline) {
			t.Fatalf("load after a restart: %v", err)
		}
	}
}

// Replicas start together, on a database that has nothing yet.
func TestReplicasThatStartTogetherMigrateOnce(t *testing.T) {
	server := servers.Postgres(t, "fsync=off")
	g := newGroup(server.URL())
	url := withSchema(t, g.url, "together")
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			s, err := postgres.Open(t.Context(), url)
			if err != nil {
				t.Errorf("open: %v", err)
				return
			}
			if err := s.Create(t.Context(), entry()); err != nil {
				t.Errorf("create: %v", err)
			}
			_ = s.Close()
		})
	}
	all.Wait()
	if n, err := g.openURL(t, url).Count(t.Context()); n != 8 || err != nil {
		t.Errorf("count = %d %v, want 8", n, err)
	}
}

// What the first version wrote is there after the last migration, and works.
func TestFirstVersionComesToTheLast(t *testing.T) {
	server := servers.Postgres(t, "fsync=off")
	g := newGroup(server.URL())
	const schema = "old"
	conn, err := pgx.Connect(t.Context(), server.URL())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close(context.Background()) }()
	first, err := postgres.Migration(1)
	if err != nil {
		t.Fatal(err)
	}
	e := entry()
	for _, step := range []string{
		"CREATE SCHEMA old", "SET search_path = old",
		"CREATE TABLE schema_version (version integer PRIMARY KEY, applied_at timestamptz NOT NULL DEFAULT now())",
		first, "INSERT INTO schema_version VALUES (1)",
	} {
		if _, err := conn.Exec(t.Context(), step); err != nil {
			t.Fatalf("%.40s: %v", step, err)
		}
	}
	if _, err := conn.Exec(t.Context(), `INSERT INTO sessions (name, version, provider, created_at, expires_at, idle_expires, last_active, sealed)
		VALUES ($1, 3, 'main', $2, $3, 0, $2, 'sealed')`, string(e.Name), e.CreatedAt.UnixMilli(), e.ExpiresAt.UnixMilli()); err != nil {
		t.Fatal(err)
	}
	s := g.openURL(t, withSchema(t, g.url, schema))
	got, err := s.Load(t.Context(), e.Name)
	if err != nil || got.Version != 3 || string(got.Sealed) != "sealed" {
		t.Fatalf("record of the first version: %+v %v", got, err)
	}
	if held, err := s.Acquire(t.Context(), "k", "h", time.Second); !held || err != nil {
		t.Errorf("lease in a migrated schema: %v %v", held, err)
	}
	if err := s.End(t.Context(), e.Name, session.ReasonLogout, time.Now()); err != nil {
		t.Errorf("end: %v", err)
	}

	if _, err := conn.Exec(t.Context(), "INSERT INTO schema_version VALUES (999)"); err != nil {
		t.Fatal(err)
	}
	if newer, err := postgres.Open(t.Context(), withSchema(t, g.url, schema)); err == nil {
		_ = newer.Close()
		t.Error("a schema of a newer build was opened")
	} else if !strings.Contains(err.Error(), "run the newer build") {
		t.Errorf("open: %v, want what to do", err)
	}
}

func TestUserWithoutRightsIsToldWhatToGrant(t *testing.T) {
	server := servers.Postgres(t, "fsync=off")
	conn, err := pgx.Connect(t.Context(), server.URL())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close(context.Background()) }()
	if _, err := conn.Exec(t.Context(), "CREATE USER poor PASSWORD 's3cret'"); err != nil {
		t.Fatal(err)
	}
	s, err := postgres.Open(t.Context(), strings.Replace(server.URL(), "cloakroom@", "poor:s3cret@", 1))
	if err == nil {
		_ = s.Close()
		t.Fatal("opened")
	}
	if !strings.Contains(err.Error(), "grant CREATE") || strings.Contains(err.Error(), "s3cret") {
		t.Errorf("open: %v, want what to grant, without the password", err)
	}
	if _, err := conn.Exec(t.Context(), "CREATE SCHEMA cloakroom AUTHORIZATION poor"); err != nil {
		t.Fatal(err)
	}
	s, err = postgres.Open(t.Context(), strings.Replace(server.URL(), "cloakroom@", "poor:s3cret@", 1))
	if err != nil {
		t.Fatalf("with a schema of its own: %v", err)
	}
	_ = s.Close()
}

func TestStandbyIsNotReady(t *testing.T) {
	server := servers.Postgres(t, "fsync=off")
	s := newGroup(server.URL()).open(t)
	if err := s.Ping(t.Context()); err != nil {
		t.Fatal(err)
	}
	conn, err := pgx.Connect(t.Context(), server.URL())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close(context.Background()) }()
	if _, err := conn.Exec(t.Context(), "ALTER SYSTEM SET default_transaction_read_only = on"); err != nil {
		t.Fatal(err)
	}
	if _, err := conn.Exec(t.Context(), "SELECT pg_reload_conf()"); err != nil {
		t.Fatal(err)
	}
	time.Sleep(200 * time.Millisecond)
	if err := s.Ping(t.Context()); err == nil || !strings.Contains(err.Error(), "read-write") {
		t.Errorf("ping of a server that takes no writes: %v", err)
	}
	if err := s.Create(t.Context(), entry()); err == nil || errors.Is(err, session.ErrExists) {
		t.Errorf("create: %v", err)
	}
}

func TestBadURLsAreRefusedWithoutTheirSecrets(t *testing.T) {
	for _, bad := range []string{
		"postgres://u:s3cr%et@host/db", "postgres://u:s3cret@host/db?sslmode=s3cret", "postgres://u:s3cret@ho st/db", "mysql://u:s3cret@host/db",
		"postgres://u:s3cret@host/db?schema=S3cret-x", "postgres://u:s3cret@host:port/db", "postgres://u:s3cret@host/db?pool_max_conns=s3cret",
		"postgres://u:s3cret@host/db?sslmode=verify-full&sslrootcert=/s3cret",
	} {
		s, err := postgres.Open(t.Context(), bad)
		if err == nil {
			_ = s.Close()
			t.Errorf("%s is taken", bad)
			continue
		}
		if strings.Contains(strings.ToLower(err.Error()), "s3cr") {
			t.Errorf("the error repeats the URL: %v", err)
		}
	}
}

func TestCloseLeavesNothingRunning(t *testing.T) {
	server := servers.Postgres(t, "fsync=off")
	before := goleak.IgnoreCurrent()
	s, err := postgres.Open(t.Context(), server.URL())
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	over := make(chan error)
	stands := make(chan struct{}, 100)
	go func() {
		over <- s.Listen(ctx, 20*time.Millisecond, func(session.Change) {}, func(time.Time) { stands <- struct{}{} })
	}()
	<-stands
	cancel()
	if err := <-over; !errors.Is(err, context.Canceled) {
		t.Errorf("listen: %v, want that it was told to stop", err)
	}
	_ = s.Close()
	goleak.VerifyNone(t, before)
}
