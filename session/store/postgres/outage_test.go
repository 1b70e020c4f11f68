package postgres_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/cloakroom/cloakroom/session/storage"
	"github.com/cloakroom/cloakroom/session/store/postgres"
)

func downAtTheStart(t *testing.T, g *group) {
	g.Stop()
	s := g.openNew(t)
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
	defer cancel()
	if _, err := s.Load(ctx, "name"); err == nil || errors.Is(err, storage.ErrNotFound) {
		t.Errorf("load without a server: %v", err)
	}
	g.Start()
	if _, err := s.Ping(t.Context()); err != nil {
		t.Fatalf("ping once it is up: %v", err)
	}
	e := entry()
	if err := s.Create(t.Context(), e); err != nil {
		t.Fatal(err)
	}
	g.Kill()
	g.Start()
	recovered(t, s.Parts())
	if _, err := s.Load(t.Context(), e.Name); err != nil {
		t.Errorf("load after a crash: %v", err)
	}
}

// A frozen server may or may not execute what it was sent once it wakes. In either case no call
// waits for it.
func frozenServer(t *testing.T, g *group) {
	s := g.openNew(t)
	e := entry()
	if err := s.Create(t.Context(), e); err != nil {
		t.Fatal(err)
	}
	g.Pause()
	for act, do := range map[string]func(context.Context) error{
		"load":   func(ctx context.Context) error { _, err := s.Load(ctx, e.Name); return err },
		"create": func(ctx context.Context) error { return s.Create(ctx, entry()) },
		"end":    func(ctx context.Context) error { return s.End(ctx, e.Name, "logout", time.Now()) },
		"ping":   func(ctx context.Context) error { _, err := s.Ping(ctx); return err },
	} {
		ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
		began := time.Now()
		err := do(ctx)
		cancel()
		if took := time.Since(began); took > 2*time.Second {
			t.Errorf("%s took %v, want 100ms", act, took)
		}
		if err == nil || errors.Is(err, storage.ErrNotFound) || errors.Is(err, storage.ErrExists) {
			t.Errorf("%s of a frozen server: %v", act, err)
		}
	}
	g.Continue()
	recovered(t, s.Parts())
}

func brokenFeed(t *testing.T, g *group) {
	for name, tt := range map[string]struct{ harm, mend func() }{
		"freezes": {g.Pause, g.Continue},
		"crashes": {g.Kill, g.Start},
	} {
		s := g.openNew(t)
		stands, over := make(chan struct{}, 1000), make(chan error, 1)
		go func() {
			over <- s.Listen(t.Context(), 20*time.Millisecond, func(storage.Change) {}, func(time.Time) { stands <- struct{}{} })
		}()
		<-stands
		tt.harm()
		select {
		case err := <-over:
			if err == nil || t.Context().Err() != nil {
				t.Errorf("%s: listen returned %v, want why the feed is over", name, err)
			}
		case <-time.After(5 * time.Second):
			t.Errorf("%s: still listening 5 s after", name)
		}
		tt.mend()
		recovered(t, s.Parts())
	}
}

// refuseWrites makes a server refuse writes as a standby does; its connections stay open.
func refuseWrites(t *testing.T, g *group) (mend func()) {
	t.Helper()
	operator := g.connect(t, "public")
	set := func(change, want string) {
		operator.do("ALTER SYSTEM " + change)
		operator.do("SELECT pg_reload_conf()")
		for is := ""; is != want; time.Sleep(10 * time.Millisecond) {
			if err := operator.QueryRow(context.Background(), "SHOW default_transaction_read_only").Scan(&is); err != nil {
				t.Fatal(err)
			}
		}
		time.Sleep(100 * time.Millisecond) // for the other connections to hear of it
	}
	set("SET default_transaction_read_only = on", "on")
	return func() { set("RESET default_transaction_read_only", "off") }
}

func readOnlyIsNotReady(t *testing.T, g *group) {
	s := g.openNew(t)
	if _, err := s.Ping(t.Context()); err != nil {
		t.Fatal(err)
	}
	mend := refuseWrites(t, g)
	if _, err := s.Ping(t.Context()); err == nil || !strings.Contains(err.Error(), "read-write") {
		t.Errorf("ping of a server that takes no writes: %v", err)
	}
	if err := s.Create(t.Context(), entry()); err == nil || errors.Is(err, storage.ErrExists) {
		t.Errorf("create: %v", err)
	}
	mend()
	if err := s.Create(t.Context(), entry()); err != nil {
		t.Errorf("create once it takes writes: %v", err)
	}
}

// The second server plays a standby that was promoted.
func writesMove(t *testing.T, g *group) {
	promoted := newGroup(t, "fsync=off")
	schema := newSchema()
	promoted.openURL(t, withSchema(t, promoted.URL(), schema))
	s := g.openURL(t, fmt.Sprintf(
		"postgres://cloakroom@127.0.0.1:%d,127.0.0.1:%d/postgres"+
			"?sslmode=disable&target_session_attrs=read-write&schema=%s",
		g.Port, promoted.Port, schema,
	))
	if err := s.Create(t.Context(), entry()); err != nil {
		t.Fatal(err)
	}
	defer refuseWrites(t, g)()
	e := entry()
	if err := s.Create(t.Context(), e); err != nil {
		t.Fatalf("create: %v, want that the caller sees nothing", err)
	}
	if _, err := promoted.openURL(t, withSchema(t, promoted.URL(), schema)).Load(t.Context(), e.Name); err != nil {
		t.Errorf("load from the other server: %v", err)
	}
}

// The listener accepts connections and never answers, as a server behind a broken network does.
func TestCloseDoesNotWaitForAServer(t *testing.T) {
	silent, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = silent.Close() }()
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	s, err := postgres.Open(ctx, fmt.Sprintf("postgres://u:p@%s/db?sslmode=disable&connect_timeout=30", silent.Addr()))
	if err != nil {
		t.Fatalf("open: %v", err)
	}
	began := time.Now()
	_ = s.Close()
	if took := time.Since(began); took > 2*time.Second {
		t.Errorf("close took %v", took)
	}
}
