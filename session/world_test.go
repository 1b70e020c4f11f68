package session_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/goleak"

	"github.com/cloakroom/cloakroom/keys"
	"github.com/cloakroom/cloakroom/secret"
	"github.com/cloakroom/cloakroom/session"
	"github.com/cloakroom/cloakroom/session/storage"
	"github.com/cloakroom/cloakroom/session/store/memory"
	"github.com/cloakroom/cloakroom/site"
	"github.com/cloakroom/cloakroom/site/sitetest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	publicURL  = "https://app.example.com"
	cookieName = "__Host-Http-cloakroom"
	lifetime   = 12 * time.Hour
	idle       = 30 * time.Minute
	staleness  = 2 * time.Second
)

// A world is one Manager over a store that can be watched and made to fail.
type world struct {
	*session.Manager
	t       testing.TB
	store   *watchedStore
	log     *logBuffer
	metrics *prometheus.Registry
}

// newWorld makes a Manager as the service would; change alters its options.
func newWorld(t testing.TB, change ...func(*session.Options)) *world {
	t.Helper()
	w := &world{t: t, store: &watchedStore{Store: memory.New()}, log: &logBuffer{}, metrics: prometheus.NewRegistry()}
	o := session.Options{
		Store: w.store.Parts(), Keys: keys.NewRing(key(1)), Lifetime: lifetime, IdleTimeout: idle, MaxStaleness: staleness,
		Site:   sitetest.New(t, publicURL, site.Options{}),
		Logger: slog.New(slog.NewTextHandler(w.log, &slog.HandlerOptions{Level: slog.LevelDebug})), Metrics: w.metrics,
	}
	for _, c := range change {
		c(&o)
	}
	var err error
	if w.Manager, err = session.NewManager(o); err != nil {
		t.Fatalf("new manager: %v", err)
	}
	t.Cleanup(w.Close)
	return w
}

// another is another process with the same store.
func (w *world) another(change ...func(*session.Options)) *world {
	w.t.Helper()
	return newWorld(w.t, append([]func(*session.Options){func(o *session.Options) { o.Store = w.store.Parts() }}, change...)...)
}

func noCache(o *session.Options) { o.MaxStaleness = 0 }

// under has a Manager use a ring of its own, of these keys.
func under(first keys.Key, others ...keys.Key) func(*session.Options) {
	return func(o *session.Options) { o.Keys = keys.NewRing(first, others...) }
}

func key(n byte) keys.Key { return keys.Key{n} }

// The secrets of every record that a test starts.
const (
	accessToken  = "the-access-token"
	refreshToken = "the-refresh-token"
	idToken      = "the-id-token"
)

func record() *session.Record {
	return &session.Record{
		Provider: "main", Issuer: "https://id.example.com", Subject: "alice", SID: "sid-1", Claims: json.RawMessage(`{"sub":"alice"}`),
		AccessToken: secret.New(accessToken), RefreshToken: secret.New(refreshToken), IDToken: secret.New(idToken),
	}
}

// start begins a session and returns it with its cookie.
func (w *world) start(change ...func(*session.Record)) (*session.Session, *http.Cookie) {
	w.t.Helper()
	rec := record()
	for _, c := range change {
		c(rec)
	}
	answer := httptest.NewRecorder()
	s, err := w.Start(context.Background(), answer, rec, "")
	if err != nil {
		w.t.Fatalf("start: %v", err)
	}
	return s, cookieOf(w.t, answer)
}

// cookieOf is the one cookie that an answer sets.
func cookieOf(t testing.TB, answer *httptest.ResponseRecorder) *http.Cookie {
	t.Helper()
	cookies := answer.Result().Cookies()
	if len(cookies) != 1 {
		t.Fatalf("cookies set = %d, want 1", len(cookies))
	}
	return cookies[0]
}

// request is one that bears these lines as its Cookie header.
func request(lines ...string) *http.Request {
	r := httptest.NewRequest(http.MethodGet, "/", nil)
	r.Header["Cookie"] = lines
	return r
}

func with(c *http.Cookie) *http.Request { return request(c.Name + "=" + c.Value) }

func (w *world) wantGone(err error) {
	w.t.Helper()
	if !errors.Is(err, session.ErrNoSession) || errors.Is(err, session.ErrUnavailable) {
		w.t.Errorf("got %v, want %v", err, session.ErrNoSession)
	}
}

func wantUnavailable(t testing.TB, err error) {
	t.Helper()
	if !errors.Is(err, session.ErrUnavailable) || errors.Is(err, session.ErrNoSession) || errors.Is(err, session.ErrEnded) {
		t.Errorf("got %v, want %v alone", err, session.ErrUnavailable)
	}
}

// metric is the value of a counter or gauge with these labels, given as name=value.
func (w *world) metric(name string, labels ...string) float64 {
	w.t.Helper()
	families, err := w.metrics.Gather()
	if err != nil {
		w.t.Fatalf("gather: %v", err)
	}
	for _, f := range families {
		if f.GetName() != name {
			continue
		}
	next:
		for _, m := range f.GetMetric() {
			have := map[string]bool{}
			for _, l := range m.GetLabel() {
				have[l.GetName()+"="+l.GetValue()] = true
			}
			for _, l := range labels {
				if !have[l] {
					continue next
				}
			}
			return m.GetCounter().GetValue() + m.GetGauge().GetValue()
		}
	}
	return 0
}

// A logBuffer holds what was logged.
type logBuffer struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (l *logBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

func (l *logBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

func (l *logBuffer) lines(with string) int { return strings.Count(l.String(), with) }

var errDisk = errors.New("disk is full")

// A watchedStore counts what it is asked, and can be made to fail or to wait.
type watchedStore struct {
	*memory.Store
	loads, touches, writes atomic.Int32
	clock                  func() time.Time // what pings say; nil: nothing

	mu   sync.Mutex // guards hook
	hook func(ctx context.Context, operation string) error
}

func (s *watchedStore) Parts() storage.Store {
	return storage.Store{Records: s, Finder: s, Outbox: s, Leases: s, Marks: s, Connection: s}
}

// before has fn called before each operation; what it returns is the operation's error.
func (s *watchedStore) before(fn func(ctx context.Context, operation string) error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.hook = fn
}

func (s *watchedStore) fail(operations ...string) {
	s.before(func(_ context.Context, operation string) error {
		if strings.Contains(" "+strings.Join(operations, " ")+" ", " "+operation+" ") {
			return errDisk
		}
		return nil
	})
}

func (s *watchedStore) ask(ctx context.Context, operation string) error {
	s.mu.Lock()
	hook := s.hook
	s.mu.Unlock()
	if hook == nil {
		return nil
	}
	return hook(ctx, operation)
}

func (s *watchedStore) Create(ctx context.Context, e storage.Entry) error {
	s.writes.Add(1)
	if err := s.ask(ctx, "create"); err != nil {
		return err
	}
	return s.Store.Create(ctx, e)
}

func (s *watchedStore) Load(ctx context.Context, name string) (storage.Entry, error) {
	s.loads.Add(1)
	if err := s.ask(ctx, "load"); err != nil {
		return storage.Entry{}, err
	}
	e, err := s.Store.Load(ctx, name)
	if asked := s.ask(ctx, "loaded"); asked != nil {
		return storage.Entry{}, asked
	}
	return e, err
}

func (s *watchedStore) Update(ctx context.Context, e storage.Entry) error {
	s.writes.Add(1)
	if err := s.ask(ctx, "update"); err != nil {
		return err
	}
	return s.Store.Update(ctx, e)
}

func (s *watchedStore) Touch(ctx context.Context, name string, lastActive, idleExpires time.Time) error {
	s.touches.Add(1)
	if err := s.ask(ctx, "touch"); err != nil {
		return err
	}
	return s.Store.Touch(ctx, name, lastActive, idleExpires)
}

func (s *watchedStore) End(ctx context.Context, name, reason string, at time.Time) error {
	s.writes.Add(1)
	if err := s.ask(ctx, "end"); err != nil {
		return err
	}
	return s.Store.End(ctx, name, reason, at)
}

func (s *watchedStore) Find(ctx context.Context, key string) ([]string, error) {
	if err := s.ask(ctx, "find"); err != nil {
		return nil, err
	}
	return s.Store.Find(ctx, key)
}

func (s *watchedStore) List(ctx context.Context, after string, limit int) ([]storage.Entry, error) {
	if err := s.ask(ctx, "find"); err != nil {
		return nil, err
	}
	return s.Store.List(ctx, after, limit)
}

func (s *watchedStore) Count(ctx context.Context) (int, error) {
	if err := s.ask(ctx, "count"); err != nil {
		return 0, err
	}
	return s.Store.Count(ctx)
}

func (s *watchedStore) Ping(ctx context.Context) (time.Time, error) {
	if err := s.ask(ctx, "ping"); err != nil {
		return time.Time{}, err
	}
	if err := s.ask(ctx, "pinged"); err != nil { // it takes no writes, and tells the time all the same
		return s.clock(), err
	}
	at, err := s.Store.Ping(ctx)
	if s.clock != nil && err == nil {
		at = s.clock()
	}
	return at, err
}

func (s *watchedStore) Enqueue(ctx context.Context, r storage.Revocation) error {
	if err := s.ask(ctx, "enqueue"); err != nil {
		return err
	}
	return s.Store.Enqueue(ctx, r)
}

// alter changes a sealed record behind everybody's back.
func (s *watchedStore) alter(t testing.TB, name string, change func([]byte) []byte) {
	t.Helper()
	ctx := context.Background()
	e, err := s.Store.Load(ctx, name)
	if err != nil {
		t.Fatalf("load: %v", err)
	}
	e.Sealed = change(bytes.Clone(e.Sealed))
	if err := s.Store.Update(ctx, e); err != nil {
		t.Fatalf("update: %v", err)
	}
}

// sealed is what the store holds.
func (s *watchedStore) sealed(t testing.TB, name string) []byte {
	t.Helper()
	e, err := s.Store.Load(context.Background(), name)
	if err != nil {
		t.Fatalf("load: %v", err)
	}
	return e.Sealed
}

// outbox opens all that waits to be revoked.
func (w *world) outbox() []*session.Record {
	w.t.Helper()
	items, err := w.store.Lease(context.Background(), time.Now().Add(48*time.Hour), time.Minute, 100)
	if err != nil {
		w.t.Fatalf("lease: %v", err)
	}
	var records []*session.Record
	for _, item := range items {
		rec, err := w.OpenRevocation(item)
		if err != nil {
			w.t.Fatalf("open revocation: %v", err)
		}
		records = append(records, rec)
	}
	return records
}

func newAnswer() *httptest.ResponseRecorder { return httptest.NewRecorder() }
