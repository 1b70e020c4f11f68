package renewal_test

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/goleak"

	"github.com/cloakroom/cloakroom/provider"
	"github.com/cloakroom/cloakroom/session"
	"github.com/cloakroom/cloakroom/session/renewal"
	"github.com/cloakroom/cloakroom/session/store/memory"
	"github.com/cloakroom/cloakroom/session/store/storetest"
	"github.com/cloakroom/cloakroom/test/providers/odd"
	"github.com/cloakroom/cloakroom/test/world/parts"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// A world is one service and one provider under a clock that moves when everyone waits.
type world struct {
	t         testing.TB
	op        *odd.Provider
	store     *storetest.Faulty
	sessions  *session.Manager
	provider  *provider.Provider
	providers map[string]*provider.Provider
	renewer   *renewal.Renewer
	metrics   *prometheus.Registry
	logged    *parts.Log
}

// inWorld runs a test in a world of its own, in a synctest bubble.
func inWorld(t *testing.T, test func(t *testing.T, w *world)) {
	t.Helper()
	op := odd.New(t)
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, op, parts.Wire{Handler: op.Server.Config.Handler}, time.Now)
		test(t, w)
		w.close()
	})
}

func newWorld(t testing.TB, op *odd.Provider, transport http.RoundTripper, now func() time.Time) *world {
	t.Helper()
	w := &world{
		t: t, op: op, store: storetest.NewFaulty(memory.New().Parts()), metrics: prometheus.NewRegistry(), logged: &parts.Log{},
	}
	log := w.logged.Logger()
	w.sessions = parts.Sessions(t, w.store.Parts(), func(o *session.Options) { o.Now, o.Logger = now, log })
	w.provider = parts.Provider(t, "main", op, transport, func(_ *provider.Config, o *provider.Options) {
		o.Now, o.Logger = now, log
	})
	w.providers = map[string]*provider.Provider{"main": w.provider}
	w.renewer = renewal.New(renewal.Options{
		Providers: w.providers, Sessions: w.sessions, Leases: w.store,
		Now: now, Logger: log, Metrics: w.metrics,
	})
	return w
}

func (w *world) close() {
	if err := w.renewer.Close(context.Background()); err != nil {
		w.t.Errorf("close renewer: %v", err)
	}
	w.sessions.Close()
	_ = w.store.Close()
	for _, g := range w.op.Grants("") {
		if w.logs(g.AccessToken) || g.Issued != "" && w.logs(g.Issued) {
			w.t.Error("a token is in the log (LG1)")
		}
	}
}

func (w *world) logs(text string) bool { return w.logged.Count(text) > 0 }

// wantOutcome is what the metric must have counted once at least.
func (w *world) wantOutcome(outcome string) {
	w.t.Helper()
	if parts.Metric(w.t, w.metrics, "cloakroom_renewals_total", "outcome="+outcome) == 0 {
		w.t.Errorf("no renewal is counted as %q", outcome)
	}
}

var quiet = slog.New(slog.DiscardHandler)

// login goes the whole way of the code grant and starts a session.
func (w *world) login() *session.Session {
	w.t.Helper()
	return parts.Login(w.t, w.sessions, w.provider, w.op)
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
	return parts.Waiting(w.t, w.sessions, w.store, time.Now().Add(time.Hour))
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

func fails(context.Context) error { return storetest.ErrDisk }
