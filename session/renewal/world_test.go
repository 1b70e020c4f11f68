package renewal_test

import (
	"bytes"
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
	"github.com/cloakroom/cloakroom/provider/jose"
	"github.com/cloakroom/cloakroom/secret"
	"github.com/cloakroom/cloakroom/session"
	"github.com/cloakroom/cloakroom/session/renewal"
	"github.com/cloakroom/cloakroom/session/storage"
	"github.com/cloakroom/cloakroom/session/store/memory"
	"github.com/cloakroom/cloakroom/site"
	"github.com/cloakroom/cloakroom/site/sitetest"
	"github.com/cloakroom/cloakroom/test/providers/odd"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// A world is one service and one provider under a clock that moves when everyone waits.
type world struct {
	t         testing.TB
	op        *odd.Provider
	store     *faultyStore
	sessions  *session.Manager
	provider  *provider.Provider
	providers map[string]*provider.Provider
	renewer   *renewal.Renewer
	metrics   *prometheus.Registry
	verifier  secret.Value
	logged    *lockedBuffer
}

// inWorld runs a test in a world of its own, in a synctest bubble.
func inWorld(t *testing.T, test func(t *testing.T, w *world)) {
	t.Helper()
	op := odd.New(t)
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, op, wire{op.Server.Config.Handler}, time.Now)
		test(t, w)
		w.close()
	})
}

func newWorld(t testing.TB, op *odd.Provider, transport http.RoundTripper, now func() time.Time) *world {
	t.Helper()
	w := &world{t: t, op: op, store: &faultyStore{Store: memory.New()}, metrics: prometheus.NewRegistry(), verifier: secret.New("a-verifier-of-at-least-forty-three-characters-x"), logged: &lockedBuffer{}}
	log := slog.New(slog.NewTextHandler(w.logged, &slog.HandlerOptions{Level: slog.LevelDebug}))
	var err error
	w.sessions, err = session.NewManager(session.Options{
		Store: w.store.Parts(), Keys: keys.NewRing(keys.Key{1}), Lifetime: 12 * time.Hour, Site: sitetest.New(t, "http://localhost", site.Options{}), Now: now, Logger: log,
	})
	if err != nil {
		t.Fatalf("new manager: %v", err)
	}
	w.provider, err = provider.New(provider.Config{
		ID: "main", Issuer: op.Issuer(), ClientID: op.Client.ID, ClientSecret: secret.New(op.Client.Secret), ClientAuth: op.Client.Auth,
		IDTokenAlg: op.Client.Alg, Scopes: []string{"openid", "profile", "offline_access"}, RedirectURI: "http://localhost/bff/callback/main",
	}, provider.Options{Now: now, Logger: log, Transport: transport})
	if err != nil {
		t.Fatalf("new provider: %v", err)
	}
	w.providers = map[string]*provider.Provider{"main": w.provider}
	w.renewer = renewal.New(renewal.Options{Providers: w.providers, Sessions: w.sessions, Leases: w.store, Now: now, Logger: log, Metrics: w.metrics})
	return w
}

func (w *world) close() {
	if err := w.renewer.Close(context.Background()); err != nil {
		w.t.Errorf("close renewer: %v", err)
	}
	w.sessions.Close()
	_ = w.store.Close()
	for _, g := range w.op.Grants("") {
		if w.logged.contains(g.AccessToken) || g.Issued != "" && w.logged.contains(g.Issued) {
			w.t.Error("a token is in the log (LG1)")
		}
	}
}

// A lockedBuffer is a log that several goroutines write.
type lockedBuffer struct {
	mu sync.Mutex // guards b
	b  bytes.Buffer
}

// Write implements io.Writer.
func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) contains(s string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return bytes.Contains(l.b.Bytes(), []byte(s))
}

// wantOutcome is what the metric must have counted once at least.
func (w *world) wantOutcome(outcome string) {
	w.t.Helper()
	families, err := w.metrics.Gather()
	if err != nil {
		w.t.Fatalf("gather metrics: %v", err)
	}
	for _, f := range families {
		for _, m := range f.GetMetric() {
			for _, l := range m.GetLabel() {
				if f.GetName() == "cloakroom_renewals_total" && l.GetName() == "outcome" && l.GetValue() == outcome {
					return
				}
			}
		}
	}
	w.t.Errorf("no renewal is counted as %q", outcome)
}

var quiet = slog.New(slog.DiscardHandler)

// login goes the whole way of the code grant and starts a session.
func (w *world) login() *session.Session {
	w.t.Helper()
	ctx := context.Background()
	const nonce = "the-nonce-of-the-login"
	to, err := w.provider.AuthorizationURL(ctx, provider.AuthorizationRequest{State: "s", Nonce: nonce, Verifier: w.verifier})
	if err != nil {
		w.t.Fatalf("authorization URL: %v", err)
	}
	answer := httptest.NewRecorder()
	w.op.Server.Config.Handler.ServeHTTP(answer, httptest.NewRequest(http.MethodGet, to, nil))
	back, err := url.Parse(answer.Header().Get("Location"))
	if err != nil || back.Query().Get("code") == "" {
		w.t.Fatalf("authorization response = %d %q", answer.Code, answer.Header().Get("Location"))
	}
	tokens, err := w.provider.Exchange(ctx, secret.New(back.Query().Get("code")), w.verifier)
	if err != nil {
		w.t.Fatalf("exchange the code: %v", err)
	}
	id, err := w.provider.Verifier().IDToken(ctx, tokens.IDToken, jose.Attempt{Nonce: nonce, Started: time.Now()})
	if err != nil {
		w.t.Fatalf("verify the ID token: %v", err)
	}
	s, err := w.sessions.Start(ctx, httptest.NewRecorder(), &session.Record{
		Provider: "main", Issuer: id.Issuer, Subject: id.Subject, SID: id.SID, Claims: id.Claims, AuthTime: id.AuthTime,
		Scope: tokens.Scope, TokenType: tokens.TokenType,
		AccessToken: tokens.AccessToken, RefreshToken: tokens.RefreshToken, IDToken: tokens.IDToken,
		AccessTokenObtained: tokens.Issued, AccessTokenExpires: tokens.Issued.Add(tokens.ExpiresIn),
	}, "")
	if err != nil {
		w.t.Fatalf("start a session: %v", err)
	}
	return s
}

// get reads the session as the next request would.
func (w *world) get(name session.Name) *session.Session {
	w.t.Helper()
	s, err := w.sessions.Get(context.Background(), name)
	if err != nil {
		w.t.Fatalf("read the session: %v", err)
	}
	return s
}

// token asks for an access token as the next request would.
func (w *world) token(s *session.Session) (renewal.Token, error) {
	w.t.Helper()
	newest, err := w.sessions.Get(context.Background(), s.Name)
	if err != nil {
		return renewal.Token{}, err
	}
	return w.renewer.AccessToken(context.Background(), newest)
}

// mustToken is token that may not fail; the provider must know what it gives.
func (w *world) mustToken(s *session.Session) renewal.Token {
	w.t.Helper()
	token, err := w.token(s)
	if err != nil {
		w.t.Fatalf("access token: %v", err)
	}
	if !w.op.AccessTokenLives(token.AccessToken.Reveal()) {
		w.t.Fatalf("the access token is not one that the provider has issued and not revoked")
	}
	return token
}

func (w *world) wantGone(s *session.Session) {
	w.t.Helper()
	if _, err := w.sessions.Get(context.Background(), s.Name); !errors.Is(err, session.ErrNoSession) {
		w.t.Errorf("the session after its end: %v, want %v", err, session.ErrNoSession)
	}
}

func (w *world) wantRenewals(n int) {
	w.t.Helper()
	if got := len(w.op.Grants("refresh_token")); got != n {
		w.t.Errorf("renewals granted by the provider = %d, want %d", got, n)
	}
	if reused := w.op.ReusedRefreshTokens(); len(reused) != 0 {
		w.t.Errorf("spent refresh tokens sent again = %d, want 0", len(reused))
	}
}

// outbox opens everything that waits to be revoked.
func (w *world) outbox() []*session.Record {
	w.t.Helper()
	items, err := w.store.Lease(context.Background(), time.Now().Add(time.Hour), time.Minute, 100)
	if err != nil {
		w.t.Fatalf("read the outbox: %v", err)
	}
	var records []*session.Record
	for _, item := range items {
		rec, err := w.sessions.OpenRevocation(item)
		if err != nil {
			w.t.Fatalf("open a revocation: %v", err)
		}
		records = append(records, rec)
	}
	return records
}

func (w *world) wantInOutbox(refreshToken string) {
	w.t.Helper()
	for _, rec := range w.outbox() {
		if rec.RefreshToken.Equal(refreshToken) {
			return
		}
	}
	w.t.Errorf("the refresh token is not in the outbox; it would live on")
}

// lastGrant is what the provider issued last.
func (w *world) lastGrant() odd.Grant {
	w.t.Helper()
	grants := w.op.Grants("")
	return grants[len(grants)-1]
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

var errDisk = errors.New("disk is full")

// A faultyStore fails where it is told to.
type faultyStore struct {
	*memory.Store
	mu     sync.Mutex // guards the hooks
	before map[string]func(context.Context) error
	after  map[string]func() error
	lapsed bool // whether everybody gets every lease, as if the holder's had run out
}

func (s *faultyStore) Parts() storage.Store {
	return storage.Store{Records: s, Finder: s, Outbox: s, Leases: s, Marks: s, Connection: s}
}

// lapse has every lease run out at once.
func (s *faultyStore) lapse() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.lapsed = true
}

// Acquire is the lease on a renewal.
func (s *faultyStore) Acquire(ctx context.Context, key, holder string, ttl time.Duration) (got bool, err error) {
	s.mu.Lock()
	lapsed := s.lapsed
	s.mu.Unlock()
	err = s.around(ctx, "acquire", func() error { got, err = s.Store.Acquire(ctx, key, holder, ttl); return err })
	return got || lapsed && err == nil, err
}

// on sets what happens before an operation; nil takes it away.
func (s *faultyStore) on(operation string, before func(context.Context) error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.before == nil {
		s.before = map[string]func(context.Context) error{}
	}
	s.before[operation] = before
}

// then sets what happens after an operation succeeded; nil takes it away.
func (s *faultyStore) then(operation string, after func() error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.after == nil {
		s.after = map[string]func() error{}
	}
	s.after[operation] = after
}

func (s *faultyStore) around(ctx context.Context, operation string, do func() error) error {
	s.mu.Lock()
	before, after := s.before[operation], s.after[operation]
	s.mu.Unlock()
	if before != nil {
		if err := before(ctx); err != nil {
			return err
		}
	}
	if err := do(); err != nil {
		return err
	}
	if after != nil {
		return after()
	}
	return nil
}

// Update is the commit of a renewal.
func (s *faultyStore) Update(ctx context.Context, e storage.Entry) error {
	return s.around(ctx, "update", func() error { return s.Store.Update(ctx, e) })
}

// End is a logout.
func (s *faultyStore) End(ctx context.Context, name, reason string, at time.Time) error {
	return s.around(ctx, "end", func() error { return s.Store.End(ctx, name, reason, at) })
}

// Enqueue is for tokens that no record holds.
func (s *faultyStore) Enqueue(ctx context.Context, r storage.Revocation) error {
	return s.around(ctx, "enqueue", func() error { return s.Store.Enqueue(ctx, r) })
}

// Load is every read.
func (s *faultyStore) Load(ctx context.Context, name string) (storage.Entry, error) {
	var e storage.Entry
	err := s.around(ctx, "load", func() (err error) { e, err = s.Store.Load(ctx, name); return err })
	return e, err
}

func fails(context.Context) error { return errDisk }
