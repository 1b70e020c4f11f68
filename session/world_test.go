package session_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/cloakroom/cloakroom/session/store/storetest"
	"github.com/cloakroom/cloakroom/test/world/parts"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/goleak"

	"github.com/cloakroom/cloakroom/keys"
	"github.com/cloakroom/cloakroom/secret"
	"github.com/cloakroom/cloakroom/session"
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
	store   *storetest.Faulty
	log     *parts.Log
	metrics *prometheus.Registry
}

// newWorld makes a Manager as the service would; change alters its options.
func newWorld(t testing.TB, change ...func(*session.Options)) *world {
	t.Helper()
	w := &world{t: t, store: storetest.NewFaulty(memory.New().Parts()), log: &parts.Log{}, metrics: prometheus.NewRegistry()}
	o := session.Options{
		Store: w.store.Parts(), Keys: keys.NewRing(key(1)), Lifetime: lifetime, IdleTimeout: idle, MaxStaleness: staleness,
		Site:   sitetest.New(t, publicURL, site.Options{}),
		Logger: w.log.Logger(), Metrics: w.metrics,
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
	return parts.Metric(w.t, w.metrics, name, labels...)
}

// alter changes a sealed record behind everybody's back.
func (w *world) alter(name string, change func([]byte) []byte) {
	w.t.Helper()
	ctx, behind := context.Background(), w.store.Behind.Records
	e, err := behind.Load(ctx, name)
	if err != nil {
		w.t.Fatalf("load: %v", err)
	}
	e.Sealed = change(bytes.Clone(e.Sealed))
	if err := behind.Update(ctx, e); err != nil {
		w.t.Fatalf("update: %v", err)
	}
}

// sealed is what the store holds.
func (w *world) sealed(name string) []byte {
	w.t.Helper()
	e, err := w.store.Behind.Records.Load(context.Background(), name)
	if err != nil {
		w.t.Fatalf("load: %v", err)
	}
	return e.Sealed
}

// outbox opens all that waits to be revoked.
func (w *world) outbox() []*session.Record {
	w.t.Helper()
	return parts.Waiting(w.t, w.Manager, w.store, time.Now().Add(48*time.Hour))
}

func newAnswer() *httptest.ResponseRecorder { return httptest.NewRecorder() }
