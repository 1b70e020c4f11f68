package revocation_test

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/goleak"

	"github.com/cloakroom/cloakroom/keys"
	"github.com/cloakroom/cloakroom/provider"
	"github.com/cloakroom/cloakroom/secret"
	"github.com/cloakroom/cloakroom/session"
	"github.com/cloakroom/cloakroom/session/revocation"
	"github.com/cloakroom/cloakroom/session/storage"
	"github.com/cloakroom/cloakroom/session/store/memory"
	"github.com/cloakroom/cloakroom/site"
	"github.com/cloakroom/cloakroom/site/sitetest"
	"github.com/cloakroom/cloakroom/test/providers/odd"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var (
	quiet   = slog.New(slog.DiscardHandler)
	errDisk = errors.New("disk is full")
)

// A world is one service with two providers, under a clock that moves when everyone waits.
type world struct {
	t          *testing.T
	store      *faultyStore
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
		store := newFaultyStore(memory.New().Parts())
		w := &world{t: t, store: store, sessions: newManager(t, store), main: first, slow: second, stop: func() {}}
		w.options = revocation.Options{
			Sessions: w.sessions, Outbox: store, Logger: quiet, Metrics: prometheus.NewRegistry(), RevokeOnBackchannel: true,
			Providers: map[string]*provider.Provider{
				"main": newProvider(t, "main", first, wire{first.Server.Config.Handler}),
				"slow": newProvider(t, "slow", second, wire{second.Server.Config.Handler}),
			},
		}
		test(t, w)
		w.stop()
		w.sessions.Close()
		_ = store.Close()
	})
}

func newManager(t *testing.T, store *faultyStore, change ...func(*session.Options)) *session.Manager {
	t.Helper()
	o := session.Options{
		Store: store.Parts(), Keys: keys.NewRing(keys.Key{1}), Lifetime: 12 * time.Hour, IdleTimeout: time.Hour, Site: sitetest.New(t, "http://localhost", site.Options{}), Logger: quiet,
	}
	for _, c := range change {
		c(&o)
	}
	m, err := session.NewManager(o)
	if err != nil {
		t.Fatalf("new manager: %v", err)
	}
	return m
}

func newProvider(t *testing.T, id string, op *odd.Provider, transport http.RoundTripper) *provider.Provider {
	t.Helper()
	p, err := provider.New(provider.Config{
		ID: id, Issuer: op.Issuer(), ClientID: op.Client.ID, ClientSecret: secret.New(op.Client.Secret), ClientAuth: op.Client.Auth,
		IDTokenAlg: op.Client.Alg, Scopes: []string{"openid", "offline_access"}, RedirectURI: "http://localhost/bff/callback/" + id,
	}, provider.Options{Logger: quiet, Transport: transport})
	if err != nil {
		t.Fatalf("new provider: %v", err)
	}
	return p
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
	return login(w.t, w.sessions, w.options.Providers[id], op)
}

func login(t *testing.T, sessions *session.Manager, p *provider.Provider, op *odd.Provider) *session.Session {
	t.Helper()
	ctx, verifier := context.Background(), secret.New("a-verifier-of-at-least-forty-three-characters-x")
	to, err := p.AuthorizationURL(ctx, provider.AuthorizationRequest{State: "s", Nonce: "n", Verifier: verifier})
	if err != nil {
		t.Fatalf("authorization URL: %v", err)
	}
	answer := httptest.NewRecorder()
	op.Server.Config.Handler.ServeHTTP(answer, httptest.NewRequest(http.MethodGet, to, nil))
	back, err := url.Parse(answer.Header().Get("Location"))
	if err != nil {
		t.Fatalf("authorization response: %v", err)
	}
	tokens, err := p.Exchange(ctx, secret.New(back.Query().Get("code")), verifier)
	if err != nil {
		t.Fatalf("exchange the code: %v", err)
	}
	s, err := sessions.Start(ctx, httptest.NewRecorder(), &session.Record{
		Provider: p.ID(), Issuer: p.Issuer(), Subject: "alice", Scope: tokens.Scope, TokenType: tokens.TokenType,
		AccessToken: tokens.AccessToken, RefreshToken: tokens.RefreshToken, IDToken: tokens.IDToken,
		AccessTokenObtained: tokens.Issued, AccessTokenExpires: tokens.Issued.Add(tokens.ExpiresIn),
	}, "")
	if err != nil {
		t.Fatalf("start a session: %v", err)
	}
	return s
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

// A wire carries requests to a handler without a network, which no bubble's clock could wait for.
type wire struct{ handler http.Handler }

func (w wire) RoundTrip(r *http.Request) (*http.Response, error) {
	answer, whole := httptest.NewRecorder(), make(chan bool, 1)
	go func() {
		defer func() { whole <- recover() == nil }()
		w.handler.ServeHTTP(answer, r.Clone(r.Context()))
	}()
	select {
	case <-r.Context().Done():
		return nil, r.Context().Err()
	case ok := <-whole:
		if !ok {
			return nil, io.ErrUnexpectedEOF
		}
		return answer.Result(), nil
	}
}

// A faultyStore fails as long as it is down, or where the outbox can't be written.
type faultyStore struct {
	storage.Records
	storage.Outbox
	storage.Connection
	behind storage.Store

	mu       sync.Mutex // guards what follows
	down     bool
	doneFail bool
	clock    func() (time.Time, error) // what pings say; nil: what the store does
}

func newFaultyStore(behind storage.Store) *faultyStore {
	return &faultyStore{Records: behind.Records, Outbox: behind.Outbox, Connection: behind.Connection, behind: behind}
}

func (s *faultyStore) Parts() storage.Store {
	parts := s.behind
	parts.Records, parts.Outbox, parts.Connection = s, s, s
	return parts
}

func (s *faultyStore) setClock(clock func() (time.Time, error)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.clock = clock
}

// Ping says what it is told to.
func (s *faultyStore) Ping(ctx context.Context) (time.Time, error) {
	s.mu.Lock()
	clock := s.clock
	s.mu.Unlock()
	if clock == nil {
		return s.Connection.Ping(ctx)
	}
	return clock()
}

func (s *faultyStore) set(down, doneFail bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.down, s.doneFail = down, doneFail
}

func (s *faultyStore) fault(done bool) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.down || done && s.doneFail {
		return errDisk
	}
	return nil
}

// Lease fails while the store is down.
func (s *faultyStore) Lease(ctx context.Context, now time.Time, lease time.Duration, limit int) ([]storage.Revocation, error) {
	if err := s.fault(false); err != nil {
		return nil, err
	}
	return s.Outbox.Lease(ctx, now, lease, limit)
}

// EndExpired fails while the store is down.
func (s *faultyStore) EndExpired(ctx context.Context, reason string, now time.Time, limit int) ([]string, error) {
	if err := s.fault(false); err != nil {
		return nil, err
	}
	return s.Records.EndExpired(ctx, reason, now, limit)
}

// Done fails while the store is down, or where it is told to.
func (s *faultyStore) Done(ctx context.Context, id string) error {
	if err := s.fault(true); err != nil {
		return err
	}
	return s.Outbox.Done(ctx, id)
}
