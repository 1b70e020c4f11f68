package postgres_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/cloakroom/cloakroom/session/storage"
)

// A session that ended never comes back, whatever the order of events. Here a Create began before
// the outbox had the name, and waits for an End that is not committed yet.
func endedStaysEnded(t *testing.T, g *group) {
	s := g.openNew(t)
	e := entry()
	if err := s.Create(t.Context(), e); err != nil {
		t.Fatal(err)
	}
	ends := g.connect(t, g.schemaOf(s))
	ends.do("BEGIN")
	ends.do(`WITH gone AS (DELETE FROM sessions WHERE name = $1 RETURNING *)
		INSERT INTO outbox (id, origin, provider, reason, ended_at, not_before, sealed)
		SELECT name, name, provider, 'logout', 1, 1, sealed FROM gone`, e.Name)
	created := make(chan error, 1)
	go func() { created <- s.Create(t.Context(), e) }()
	waits(t, g)
	ends.do("COMMIT")
	if err := <-created; !errors.Is(err, storage.ErrExists) {
		t.Errorf("create: %v, want that the name is taken", err)
	}
	if _, err := s.Load(t.Context(), e.Name); !errors.Is(err, storage.ErrNotFound) {
		t.Errorf("load: %v, want that it stays ended", err)
	}
	if found, err := s.Find(t.Context(), e.Indices[0]); err != nil || len(found) != 0 {
		t.Errorf("found %v %v, want none", found, err)
	}
}

// waits returns once a statement waits for the lock of another.
func waits(t *testing.T, g *group) {
	t.Helper()
	looks := g.connect(t, "public")
	for deadline := time.Now().Add(10 * time.Second); time.Now().Before(deadline); time.Sleep(5 * time.Millisecond) {
		var n int
		if err := looks.QueryRow(t.Context(), `SELECT count(*) FROM pg_locks WHERE NOT granted`).Scan(&n); err != nil {
			t.Fatal(err)
		}
		if n > 0 {
			return
		}
	}
	t.Fatal("nothing waits")
}

func sweepDoesNotWait(t *testing.T, g *group) {
	s := g.openNew(t)
	locked, free := entry(), entry()
	for _, e := range []storage.Entry{locked, free} {
		if err := s.Create(t.Context(), e); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := s.MarkOnce(t.Context(), "mark", time.Now().Add(-time.Second)); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Acquire(t.Context(), "lease", "holder", -time.Second); err != nil {
		t.Fatal(err)
	}
	other := g.connect(t, g.schemaOf(s))
	other.do("BEGIN")
	for _, lock := range []string{
		"SELECT 1 FROM marks", "SELECT 1 FROM leases",
		"SELECT 1 FROM sessions WHERE name = '" + locked.Name + "'",
	} {
		other.do(lock + " FOR UPDATE")
	}
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
	defer cancel()
	ended, err := s.EndExpired(ctx, "expired", time.Now().Add(2*time.Hour), 10)
	if err != nil || len(ended) != 1 || ended[0] != free.Name {
		t.Errorf("ended %v %v, want %s alone", ended, err, free.Name)
	}
	other.do("COMMIT")
	ended, err = s.EndExpired(ctx, "expired", time.Now().Add(2*time.Hour), 10)
	if err != nil || len(ended) != 1 || ended[0] != locked.Name {
		t.Errorf("ended %v %v, want %s now", ended, err, locked.Name)
	}
	var left int
	err = other.QueryRow(ctx,
		"SELECT (SELECT count(*) FROM marks) + (SELECT count(*) FROM leases)").Scan(&left)
	if left != 0 || err != nil {
		t.Errorf("%d marks and leases are left (%v), want none", left, err)
	}
}

func anyErrorIsKept(t *testing.T, g *group) {
	s := g.openNew(t)
	e := entry()
	if err := s.Create(t.Context(), e); err != nil {
		t.Fatal(err)
	}
	if err := s.End(t.Context(), e.Name, "logout", time.Now()); err != nil {
		t.Fatal(err)
	}
	if err := s.Retry(t.Context(), e.Name, time.Now(), "said \x00\xff no"); err != nil {
		t.Fatalf("retry: %v", err)
	}
	page, _, err := s.Revocations(t.Context(), 1)
	if err != nil || len(page) != 1 || page[0].Attempts != 1 || page[0].LastError != "said  no" {
		t.Errorf("item = %+v %v, want one attempt and what can be kept of its error", page, err)
	}
}

// After a crash, everything is there that a call promised to be on the disk when it returned.
func crashTakesTouchesAtMost(t *testing.T, g *group) {
	s := g.openNew(t)
	e := entry()
	if err := s.Create(t.Context(), e); err != nil {
		t.Fatal(err)
	}
	if err := s.Update(t.Context(), e); err != nil {
		t.Fatal(err)
	}
	if err := s.Touch(t.Context(), e.Name, time.Now().Add(time.Minute), time.Now().Add(2*time.Hour)); err != nil {
		t.Fatal(err)
	}
	g.Kill()
	g.Start()
	recovered(t, s.Parts())
	got, err := s.Load(t.Context(), e.Name)
	if err != nil || got.Version != 2 || got.IdleExpires.Before(e.IdleExpires.Truncate(time.Millisecond)) {
		t.Errorf("record = %+v %v, want version 2, and no time before that of the first", got, err)
	}
}

// Nobody sends a refresh token while the holder of the lease may have sent it.
func leaseOutlivesACrash(t *testing.T, g *group) {
	s := g.openNew(t)
	if got, err := s.Acquire(t.Context(), "renew", "one", time.Hour); !got || err != nil {
		t.Fatalf("acquire: %v %v", got, err)
	}
	g.Kill()
	g.Start()
	recovered(t, s.Parts())
	if got, err := s.Acquire(t.Context(), "renew", "two", time.Hour); got || err != nil {
		t.Errorf("another acquires after the crash = %v %v, want false", got, err)
	}
}
