package revocation_test

import (
	"context"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/cloakroom/cloakroom/provider"
	"github.com/cloakroom/cloakroom/session"
	"github.com/cloakroom/cloakroom/session/revocation"
	"github.com/cloakroom/cloakroom/session/store"
	"github.com/cloakroom/cloakroom/session/store/storetest"
	"github.com/cloakroom/cloakroom/test/providers/odd"
	"github.com/cloakroom/cloakroom/test/world/parts"
)

// TestCrashBetweenTheStepsLosesNoRevocation (LO6, RV4), over a real file: the process dies after
// the logout, after leasing the item, or after revoking but before noting it. The next one
// delivers.
func TestCrashBetweenTheStepsLosesNoRevocation(t *testing.T) {
	for _, c := range []struct {
		name  string
		crash func(t *testing.T, p *process)
	}{
		{"after the logout", func(*testing.T, *process) {}},
		{"after the lease", func(t *testing.T, p *process) {
			items, err := p.store.Lease(context.Background(), time.Now(), time.Second, 10)
			if err != nil || len(items) != 1 {
				t.Fatalf("lease = %d items, %v; want 1", len(items), err)
			}
		}},
		{"after the revocation", func(t *testing.T, p *process) {
			p.store.Fail("done")
			p.work(t, func() bool { return len(p.op.LiveRefreshTokens()) == 0 })
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			op, file := odd.New(t), filepath.Join(t.TempDir(), "cloakroom.db")
			p := start(t, op, file)
			s := parts.Login(t, p.sessions, p.providers["main"], op)
			if err := p.sessions.End(context.Background(), s.Name, session.ReasonLogout); err != nil {
				t.Fatalf("end the session: %v", err)
			}
			c.crash(t, p)
			p.die(t)

			p = start(t, op, file)
			defer p.die(t)
			if _, err := p.sessions.Get(context.Background(), s.Name); err == nil {
				t.Error("the session is there again after the restart")
			}
			p.work(t, func() bool {
				_, n, err := p.store.Revocations(context.Background(), 10)
				return err == nil && n == 0
			})
			if n := len(op.LiveRefreshTokens()); n != 0 {
				t.Errorf("live refresh tokens at the provider = %d, want 0", n)
			}
		})
	}
}

// A process is a service from its start to its end.
type process struct {
	op        *odd.Provider
	store     *storetest.Faulty
	sessions  *session.Manager
	providers map[string]*provider.Provider
}

func start(t *testing.T, op *odd.Provider, file string) *process {
	t.Helper()
	s, err := store.Open(context.Background(), "sqlite:"+file)
	if err != nil {
		t.Fatalf("open the store: %v", err)
	}
	p := &process{op: op, store: storetest.NewFaulty(s)}
	p.sessions = newManager(t, p.store)
	p.providers = map[string]*provider.Provider{"main": newProvider(t, "main", op)}
	return p
}

// work runs a worker until what it works for is so.
func (p *process) work(t *testing.T, until func() bool) {
	t.Helper()
	w := revocation.NewWorker(revocation.Options{
		Sessions: p.sessions, Outbox: p.store, Providers: p.providers, Logger: quiet, Poll: 10 * time.Millisecond, Lease: time.Second,
	})
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() { w.Run(ctx) })
	for deadline := time.Now().Add(20 * time.Second); !until(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Error("the worker did not get there in 20s")
			break
		}
	}
	cancel()
	running.Wait()
}

func (p *process) die(t *testing.T) {
	t.Helper()
	p.sessions.Close()
	if err := p.store.Close(); err != nil {
		t.Errorf("close the store: %v", err)
	}
}
