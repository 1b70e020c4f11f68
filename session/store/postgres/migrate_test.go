package postgres_test

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/cloakroom/cloakroom/session/storage"
	"github.com/cloakroom/cloakroom/session/store/postgres"
	"github.com/cloakroom/cloakroom/session/store/storetest"
)

// The database is empty.
func startTogether(t *testing.T, g *group) {
	url := withSchema(t, g.URL(), newSchema())
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

// The old schema holds one of each kind of row.
func firstComesToLast(t *testing.T, g *group) {
	schema := newSchema()
	first, err := postgres.Migration(1)
	if err != nil {
		t.Fatal(err)
	}
	old := g.connect(t, schema)
	old.do("CREATE SCHEMA " + schema)
	old.do("CREATE TABLE schema_version (version integer PRIMARY KEY, applied_at timestamptz NOT NULL DEFAULT now())")
	old.do(first)
	old.do("INSERT INTO schema_version VALUES (1)")
	e := entry()
	old.do(`INSERT INTO sessions (name, version, provider, created_at, expires_at, idle_expires, last_active, sealed)
		VALUES ($1, 3, 'main', $2, $3, 0, $2, 'sealed')`, e.Name, e.CreatedAt.UnixMilli(), e.ExpiresAt.UnixMilli())
	old.do("INSERT INTO session_index VALUES ('key', $1)", e.Name)
	old.do(`INSERT INTO outbox (id, origin, provider, reason, ended_at, not_before, sealed)
		VALUES ('ended', 'ended', 'main', 'logout', 1, 1, 'tokens')`)
	old.do("INSERT INTO marks VALUES ('mark', $1)", time.Now().Add(time.Hour).UnixMilli())

	s := g.openURL(t, withSchema(t, g.URL(), schema))
	got, err := s.Load(t.Context(), e.Name)
	if err != nil || got.Version != 3 || string(got.Sealed) != "sealed" {
		t.Fatalf("record = %+v %v, want version 3 as it was", got, err)
	}
	if found, err := s.Find(t.Context(), "key"); err != nil || !slices.Contains(found, e.Name) {
		t.Errorf("found %v %v, want the record", found, err)
	}
	if due, err := s.Lease(t.Context(), time.Now(), time.Minute, 10); err != nil || len(due) != 1 || string(due[0].Sealed) != "tokens" {
		t.Errorf("outbox = %+v %v, want the item", due, err)
	}
	if marked, err := s.Marked(t.Context(), "mark"); err != nil || !marked {
		t.Errorf("marked = %v %v, want that it still is", marked, err)
	}
	if held, err := s.Acquire(t.Context(), "k", "h", time.Second); !held || err != nil {
		t.Errorf("lease in a migrated schema: %v %v", held, err)
	}
	if err := s.End(t.Context(), e.Name, "logout", time.Now()); err != nil {
		t.Errorf("end: %v", err)
	}
}

// version returns the layout version of a schema.
func (g *group) version(t *testing.T, schema string) (version int) {
	t.Helper()
	if err := g.connect(t, schema).QueryRow(t.Context(), "SELECT max(version) FROM schema_version").Scan(&version); err != nil {
		t.Fatal(err)
	}
	return version
}

// Replicas are rolled back one by one while others still run the next build.
func nextIsUsed(t *testing.T, g *group) {
	s := g.openNew(t)
	last := g.version(t, g.schemaOf(s))
	owner := g.connect(t, g.schemaOf(s))
	owner.do("INSERT INTO schema_version VALUES ($1)", last+1)
	for _, s := range []*postgres.Store{s, g.openURL(t, g.urls[s])} {
		if err := errors.Join(ping(t, s), s.Create(t.Context(), entry())); err != nil {
			t.Errorf("beside the next build: %v", err)
		}
	}
	owner.do("INSERT INTO schema_version VALUES ($1)", last+2)
	if _, err := s.Ping(t.Context()); err == nil || !strings.Contains(err.Error(), "run the newer build") {
		t.Errorf("ping of a schema that became too new: %v, want what to do", err)
	}
	if err := s.Create(t.Context(), entry()); err == nil || errors.Is(err, storage.ErrExists) {
		t.Errorf("create in a schema that became too new: %v", err)
	}
	owner.do("DELETE FROM schema_version WHERE version = $1", last+2)
	if err := s.Create(t.Context(), entry()); err != nil {
		t.Errorf("create once that was rolled back: %v", err)
	}
}

// A replica that listens may run a build so old that it would not understand the migrated schema.
func oldIsKeptWhileInUse(t *testing.T, g *group) {
	schema := newSchema()
	first, err := postgres.Migration(1)
	if err != nil {
		t.Fatal(err)
	}
	old := g.connect(t, schema)
	old.do("CREATE SCHEMA " + schema)
	old.do("CREATE TABLE schema_version (version integer PRIMARY KEY, applied_at timestamptz NOT NULL DEFAULT now())")
	old.do(first)
	old.do("INSERT INTO schema_version VALUES (1)")
	old.do("SELECT pg_advisory_lock_shared($1::int, 42)", 0x636c6f61) // what every build does that listens
	if s, err := postgres.Open(t.Context(), withSchema(t, g.URL(), schema)); err == nil {
		_ = s.Close()
		t.Error("a schema that old was changed under a replica that uses it")
	} else if !strings.Contains(err.Error(), "makes version 2 first") {
		t.Errorf("open: %v, want what to do", err)
	}
	old.do("SELECT pg_advisory_unlock_shared($1::int, 42)", 0x636c6f61)
	g.openURL(t, withSchema(t, g.URL(), schema))
}

func newerIsRefused(t *testing.T, g *group) {
	s := g.openNew(t)
	owner := g.connect(t, g.schemaOf(s))
	owner.do("INSERT INTO schema_version VALUES (999)")
	owner.do("CREATE USER reader")
	owner.do("GRANT USAGE ON SCHEMA " + g.schemaOf(s) + " TO reader")
	owner.do("GRANT SELECT ON schema_version TO reader")
	for _, user := range []string{"cloakroom", "reader"} {
		newer, err := postgres.Open(t.Context(), strings.Replace(g.urls[s], "cloakroom@", user+"@", 1))
		if err == nil {
			_ = newer.Close()
			t.Errorf("%s opened a schema of a newer build", user)
		} else if !strings.Contains(err.Error(), "run the newer build") {
			t.Errorf("%s: %v, want what to do", user, err)
		}
	}
}

func toldWhatToGrant(t *testing.T, g *group) {
	owner := g.connect(t, "public")
	owner.do("CREATE USER poor")
	schema := newSchema()
	url := withSchema(t, strings.Replace(g.URL(), "cloakroom@", "poor@", 1), schema)
	s, err := postgres.Open(t.Context(), url)
	if err == nil {
		_ = s.Close()
		t.Fatal("opened")
	}
	if !strings.Contains(err.Error(), "grant CREATE") {
		t.Errorf("open: %v, want what to grant", err)
	}
	owner.do("CREATE SCHEMA " + schema + " AUTHORIZATION poor")
	g.openURL(t, url)
}

func wordOfSQL(t *testing.T, g *group) {
	s := g.openURL(t, withSchema(t, g.URL(), "order"))
	if err := s.Create(t.Context(), entry()); err != nil {
		t.Errorf("create: %v", err)
	}
}

// The first five migrations are older than the rule.
func TestPreviousBuildWorksAfterTheMigrations(t *testing.T) {
	files, err := filepath.Glob("migrations/*.sql")
	if err != nil || len(files) < 5 {
		t.Fatalf("migrations = %v %v", files, err)
	}
	for _, file := range append(files[5:], "testdata/next.sql") {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		storetest.Additive(t, file, string(text))
	}
}

func ping(t *testing.T, s *postgres.Store) error {
	t.Helper()
	_, err := s.Ping(t.Context())
	return err
}
