package postgres_test

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"go.uber.org/goleak"

	"github.com/cloakroom/cloakroom/session/storage"
	"github.com/cloakroom/cloakroom/session/store/postgres"
	"github.com/cloakroom/cloakroom/session/store/storetest"
	"github.com/cloakroom/cloakroom/test/servers"
)

// A group is a set of stores on one server, each in a schema of its own.
type group struct {
	*servers.PostgresServer
	urls map[*postgres.Store]string
}

// newGroup starts a server that asks only the user secret for a password.
func newGroup(t testing.TB, options ...string) *group {
	t.Helper()
	dir := servers.Folder(t)
	hba := filepath.Join(dir, "pg_hba.conf")
	rules := "host all secret 127.0.0.1/32 scram-sha-256\nhost all all 127.0.0.1/32 trust\n"
	if err := os.WriteFile(hba, []byte(rules), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(dir, 0o755); err != nil { // the server may run as another user
		t.Fatal(err)
	}
	return &group{servers.Postgres(t, append(options, "hba_file="+hba)...), map[*postgres.Store]string{}}
}

// openNew opens a store in a schema that nobody else uses.
func (g *group) openNew(t testing.TB) *postgres.Store {
	t.Helper()
	return g.openURL(t, withSchema(t, g.URL(), newSchema()))
}

func newSchema() string { return "t_" + strings.ToLower(rand.Text()[:8]) }

func withSchema(t testing.TB, raw, schema string) string {
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

func (g *group) openURL(t testing.TB, url string) *postgres.Store {
	t.Helper()
	s, err := postgres.Open(context.Background(), url)
	if err != nil {
		t.Fatalf("open: %v", err)
	}
	t.Cleanup(func() { _ = s.Close() })
	g.urls[s] = url
	return s
}

// another opens the same store again.
func (g *group) another(t *testing.T, s storage.Store) storage.Store {
	t.Helper()
	return g.openURL(t, g.urls[s.Connection.(*postgres.Store)]).Parts()
}

// A client is a connection of the test's own. It uses the schema that it is given.
type client struct {
	*pgx.Conn
	t testing.TB
}

func (g *group) connect(t testing.TB, schema string) *client {
	t.Helper()
	conn, err := pgx.Connect(context.Background(), g.URL()+"&search_path="+schema)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close(context.Background()) })
	return &client{conn, t}
}

func (c *client) do(sql string, args ...any) {
	c.t.Helper()
	if _, err := c.Exec(context.Background(), sql, args...); err != nil {
		c.t.Fatalf("%.60s: %v", sql, err)
	}
}

// schemaOf returns the schema that a store's URL names.
func (g *group) schemaOf(s *postgres.Store) string {
	_, schema, _ := strings.Cut(g.urls[s], "schema=")
	schema, _, _ = strings.Cut(schema, "&")
	return schema
}

func entry() storage.Entry {
	now := time.Now()
	return storage.Entry{
		Name: rand.Text(), Version: 1, Sealed: []byte("sealed " + rand.Text()), Provider: "main", Indices: []string{"k-" + rand.Text()},
		CreatedAt: now, ExpiresAt: now.Add(time.Hour), IdleExpires: now.Add(time.Hour), LastActive: now,
	}
}

// All subtests share one server, because starting one takes longer than most of them.
func TestPostgreSQL(t *testing.T) {
	g := newGroup(t)
	for _, tt := range []struct {
		name string
		run  func(t *testing.T, g *group)
	}{
		{"behaves as a store", behavesAsAStore},
		{"a session that ends while its name is created anew stays ended", endedStaysEnded},
		{"a sweep does not wait for what others have locked", sweepDoesNotWait},
		{"what a provider said is kept, whatever bytes are in it", anyErrorIsKept},
		{"a crash takes back touches at most", crashTakesTouchesAtMost},
		{"a lease outlives a crash", leaseOutlivesACrash},
		{"replicas that start together migrate once", startTogether},
		{"what the first version wrote is there after the last", firstComesToLast},
		{"the next build's schema is used, the one after it refused", nextIsUsed},
		{"a schema that is much older is left alone while it is in use", oldIsKeptWhileInUse},
		{"a newer schema is refused, even to a user without rights", newerIsRefused},
		{"a user without rights is told what to grant", toldWhatToGrant},
		{"whoever is refused is told why, without the password", refusedIsTold},
		{"a schema may be called by a word of SQL's", wordOfSQL},
		{"a server that is down at the start is found later, and after its crash", downAtTheStart},
		{"a frozen server is waited for no longer than the context lasts", frozenServer},
		{"a feed from a server that freezes or crashes is over", brokenFeed},
		{"a server that takes no writes is not ready", readOnlyIsNotReady},
		{"writes move to the server that takes them", writesMove},
		{"closing leaves nothing running", closeLeavesNothing},
	} {
		t.Run(tt.name, func(t *testing.T) { tt.run(t, g) })
	}
}

// The URL names the authority that signed the server's certificate. Without that authority the
// password is not sent, and the error says what is wrong.
func TestTLSWithAPrivateAuthority(t *testing.T) {
	ours, foreign := servers.NewAuthority(t), servers.NewAuthority(t)
	certificate, key := ours.Certificate("127.0.0.1")
	g := newGroup(t, "ssl=on", "ssl_cert_file="+certificate, "ssl_key_file="+key)
	verified := func(a *servers.Authority) string {
		return fmt.Sprintf("postgres://cloakroom:the-password@127.0.0.1:%d/postgres?sslmode=verify-full&sslrootcert=%s", g.Port, a.File)
	}
	s := g.openURL(t, withSchema(t, verified(ours), newSchema()))
	e := entry()
	if err := s.Create(t.Context(), e); err != nil {
		t.Fatal(err)
	}
	var plain int
	row := g.connect(t, "public").QueryRow(t.Context(), `
		SELECT count(*) FROM pg_stat_activity JOIN pg_stat_ssl USING (pid)
		WHERE NOT ssl AND application_name = 'cloakroom'`)
	if err := row.Scan(&plain); err != nil || plain != 0 {
		t.Errorf("connections without TLS = %d %v, want 0", plain, err)
	}
	for url, want := range map[string]string{
		verified(foreign): "signed by unknown authority",
		strings.Replace(verified(ours), "127.0.0.1", "localhost", 1): "localhost",
	} {
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		s, err := postgres.Open(ctx, url)
		if err == nil {
			_, err = s.Ping(ctx)
			_ = s.Close()
		}
		cancel()
		if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "the-password") {
			t.Errorf("%s: %v, want an error with %q", strings.Replace(url, "the-password", "…", 1), err, want)
		}
	}
}

// The server is stopped, not frozen: a frozen one executes what it was sent once it wakes.
func behavesAsAStore(t *testing.T, g *group) {
	storetest.Run(t, func(t *testing.T) storage.Store { return g.openNew(t).Parts() }, storetest.Shared(g.another),
		storetest.Durable(func(t *testing.T, s storage.Store) storage.Store {
			_ = s.Connection.Close()
			g.Kill()
			g.Start()
			return g.another(t, s)
		}),
		storetest.Outage(func(t *testing.T, s storage.Store) func() {
			g.Stop()
			return func() {
				g.Start()
				recovered(t, s)
			}
		}))
}

// recovered returns once a store has noticed that its server is back.
func recovered(t *testing.T, s storage.Store) {
	t.Helper()
	for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		_, err := s.Records.Load(t.Context(), "nobody")
		if errors.Is(err, storage.ErrNotFound) {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("still not there 10 s after the server: %v", err)
		}
	}
}

func closeLeavesNothing(t *testing.T, g *group) {
	before := goleak.IgnoreCurrent()
	s, err := postgres.Open(t.Context(), g.URL())
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	over := make(chan error)
	stands := make(chan struct{}, 100)
	go func() {
		over <- s.Listen(ctx, 20*time.Millisecond, func(storage.Change) {}, func(time.Time) { stands <- struct{}{} })
	}()
	<-stands
	cancel()
	if err := <-over; !errors.Is(err, context.Canceled) {
		t.Errorf("listen: %v, want that it was told to stop", err)
	}
	_ = s.Close()
	goleak.VerifyNone(t, before)
}
