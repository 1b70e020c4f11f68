package revocation_test

import (
	"context"
	"log/slog"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/goleak"

	"github.com/cloakroom/cloakroom/provider"
	"github.com/cloakroom/cloakroom/session"
	"github.com/cloakroom/cloakroom/session/revocation"
	"github.com/cloakroom/cloakroom/session/storage"
	"github.com/cloakroom/cloakroom/session/store/memory"
	"github.com/cloakroom/cloakroom/session/store/storetest"
	"github.com/cloakroom/cloakroom/test/providers/odd"
	"github.com/cloakroom/cloakroom/test/world/parts"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var quiet = slog.New(slog.DiscardHandler)

// A world is one service with two providers, under a clock that moves when everyone waits.
type world struct {
	t          *testing.T
	store      *storetest.Faulty
	sessions   *session.Manager
	main, slow *odd.Provider
	options    revocation.Options
	stop       func()
}

// inWorld runs a test in a synctest bubble. The worker does not run before w.run.
func inWorld(t *testing.T, test func(t *testing.T, w *world)) {
	t.Helper()
	first, second := odd.New(t), odd.New(t)
	synctest.Test(t, func(t *testing.T) {
		store := storetest.NewFaulty(memory.New().Parts())
		w := &world{t: t, store: store, sessions: newManager(t, store), main: first, slow: second, stop: func() {}}
		w.options = revocation.Options{
			Sessions: w.sessions, Outbox: store, Logger: quiet, Metrics: prometheus.NewRegistry(), RevokeOnBackchannel: true,
			Providers: map[string]*provider.Provider{
				"main": newProvider(t, "main", first),
				"slow": newProvider(t, "slow", second),
			},
		}
		test(t, w)
		w.stop()
		w.sessions.Close()
		_ = store.Close()
	})
}

func newManager(t *testing.T, store *storetest.Faulty, change ...func(*session.Options)) *session.Manager {
	t.Helper()
	idle := func(o *session.Options) { o.IdleTimeout = time.Hour }
	return parts.Sessions(t, store.Parts(), append([]func(*session.Options){idle}, change...)...)
}

func newProvider(t *testing.T, id string, op *odd.Provider) *provider.Provider {
	t.Helper()
	return parts.Provider(t, id, op, parts.Wire{Handler: op.Server.Config.Handler})
}

// run starts a worker; w.stop stops it and waits until nothing of it is left.
func (w *world) run() *revocation.Worker {
	worker := revocation.NewWorker(w.options)
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() { worker.Run(ctx) })
	w.stop = func() { cancel(); running.Wait(); w.stop = func() {} }
	return worker
}

// login starts a session with tokens that the provider has issued.
func (w *world) login(id string) *session.Session {
	op := w.main
	if id == "slow" {
		op = w.slow
	}
	return parts.Login(w.t, w.sessions, w.options.Providers[id], op)
}

// end ends a session; it must not take any time, whatever the provider is at (LO6, RV4).
func (w *world) end(s *session.Session, reason session.Reason) {
	w.t.Helper()
	began := time.Now()
	if err := w.sessions.End(context.Background(), s.Name, reason); err != nil {
		w.t.Fatalf("end the session: %v", err)
	}
	if took := time.Since(began); took != 0 {
		w.t.Errorf("the logout took %v", took)
	}
}

// pending is what waits in the outbox.
func (w *world) pending() []storage.Revocation {
	w.t.Helper()
	items, n, err := w.store.Revocations(context.Background(), 100)
	if err != nil || n != len(items) {
		w.t.Fatalf("read the outbox: %d items of %d, %v", len(items), n, err)
	}
	return items
}

func (w *world) wantPending(n int) {
	w.t.Helper()
	if got := len(w.pending()); got != n {
		w.t.Errorf("items in the outbox = %d, want %d", got, n)
	}
}

func (w *world) wantLive(op *odd.Provider, n int) {
	w.t.Helper()
	if got := len(op.LiveRefreshTokens()); got != n {
		w.t.Errorf("live refresh tokens at the provider = %d, want %d", got, n)
	}
}
