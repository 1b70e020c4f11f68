package revocation_test

import (
	"context"
	"net/http"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/cloakroom/cloakroom/provider"
	"github.com/cloakroom/cloakroom/session"
	"github.com/cloakroom/cloakroom/session/storage"
	"github.com/cloakroom/cloakroom/test/providers/odd"
)

// TestWhatTheProviderAnswers (RV3): 200 is success for an unknown token, too; 503 is tried again
// when Retry-After allows; a token that it will never revoke is given up and does not keep the
// other from being tried.
func TestWhatTheProviderAnswers(t *testing.T) {
	for _, c := range []struct {
		name     string
		answer   odd.Interceptor
		requests int // in the first minute
		pending  int // after it
		outcome  string
	}{
		{"200 for a token it does not know", odd.Answer(200, "text/plain", ""), 2, 0, "delivered"},
		{"unsupported_token_type", odd.OAuthError(400, "unsupported_token_type"), 2, 0, "not_revocable"},
		{"404", odd.Answer(404, "text/html", "<p>no"), 2, 0, "not_revocable"},
		{"503 once", odd.Next(1, odd.Answer(503, "text/plain", "", "Retry-After", "20")), 3, 0, "retried"},
		{"503 for two minutes", odd.Answer(503, "text/plain", "", "Retry-After", "120"), 1, 1, "retried"},
		{"invalid_client", odd.Next(1, odd.OAuthError(401, "invalid_client")), 3, 0, "retried"},
	} {
		t.Run(c.name, func(t *testing.T) {
			inWorld(t, func(t *testing.T, w *world) {
				w.main.Intercept(odd.Revocation, c.answer)
				worker := w.run()
				w.end(w.login("main"), session.ReasonLogout)
				worker.Wake()
				time.Sleep(time.Minute)
				if n := w.main.Count(odd.Revocation); n != c.requests {
					t.Errorf("revocation requests = %d, want %d", n, c.requests)
				}
				w.wantPending(c.pending)
				w.wantOutcome(c.outcome)
			})
		})
	}
}

func (w *world) wantOutcome(outcome string) {
	w.t.Helper()
	families, err := w.options.Metrics.(*prometheus.Registry).Gather()
	if err != nil {
		w.t.Fatalf("gather metrics: %v", err)
	}
	for _, family := range families {
		for _, m := range family.GetMetric() {
			for _, label := range m.GetLabel() {
				if label.GetName() == "outcome" && label.GetValue() == outcome && m.GetCounter().GetValue() > 0 {
					return
				}
			}
		}
	}
	w.t.Errorf("no revocation is counted as %q", outcome)
}

// TestRetryAfterIsObeyed (RV3).
func TestRetryAfterIsObeyed(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		w.main.Intercept(odd.Revocation, odd.Next(1, odd.Answer(503, "text/plain", "", "Retry-After", "90")))
		worker := w.run()
		w.end(w.login("main"), session.ReasonLogout)
		worker.Wake()
		time.Sleep(2 * time.Minute)
		requests := w.main.Requests(odd.Revocation)
		if len(requests) != 3 {
			t.Fatalf("revocation requests = %d, want 3", len(requests))
		}
		if gap := requests[1].At.Sub(requests[0].At); gap < 90*time.Second {
			t.Errorf("tried again after %v, want 90s at least", gap)
		}
	})
}

// TestProviderWithoutRevocationEndpointKeepsNothingWaiting.
func TestProviderWithoutRevocationEndpointKeepsNothingWaiting(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		w.main.OnDiscovery(func(doc odd.Claims) { delete(doc, "revocation_endpoint") })
		worker := w.run()
		w.end(w.login("main"), session.ReasonLogout)
		worker.Wake()
		time.Sleep(time.Second)
		w.wantPending(0)
		w.wantOutcome("unsupported")
	})
}

// TestOfflineAccessAtAProvidersLogout (RV1, OIDC Back-Channel Logout §2.7) is as the setting says;
// any other end revokes it.
func TestOfflineAccessAtAProvidersLogout(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		w.options.RevokeOnBackchannel = false
		worker := w.run()
		w.end(w.login("main"), session.ReasonProviderLogout)
		worker.Wake()
		time.Sleep(time.Second)
		w.wantPending(0)
		w.wantLive(w.main, 1)
		w.wantOutcome("kept")
		w.end(w.login("main"), session.ReasonLogout)
		worker.Wake()
		time.Sleep(time.Second)
		w.wantLive(w.main, 1)
	})
}

// TestExpiredAccessTokenIsNotRevoked: it is dead already.
func TestExpiredAccessTokenIsNotRevoked(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		worker := w.run()
		s := w.login("main")
		time.Sleep(6 * time.Minute)
		w.end(s, session.ReasonLogout)
		worker.Wake()
		time.Sleep(time.Second)
		if n := w.main.Count(odd.Revocation); n != 1 {
			t.Errorf("revocation requests = %d, want 1", n)
		}
		w.wantPending(0)
	})
}

// TestWhatOnlyAnOperatorCanMendIsKeptAndReported: a provider or a key that is no longer configured.
// When it is back the revocation is delivered; after thirty days it is dropped.
func TestWhatOnlyAnOperatorCanMendIsKeptAndReported(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		all := w.options.Providers
		w.options.Poll, w.options.SweepEvery = time.Minute, time.Hour // a month of looking every second takes its time
		s := w.login("main")
		w.options.Providers = map[string]*provider.Provider{"slow": all["slow"]}
		worker := w.run()
		w.end(s, session.ReasonLogout)
		unreadable := storage.Revocation{
			ID: "x", Origin: "x", Provider: "slow", Reason: string(session.ReasonLogout),
			Sealed: []byte("no"), EndedAt: time.Now(), NotBefore: time.Now(),
		}
		if err := w.store.Enqueue(context.Background(), unreadable); err != nil {
			t.Fatal(err)
		}
		worker.Wake()
		time.Sleep(24 * time.Hour)
		w.wantPending(2)
		for _, item := range w.pending() {
			if item.LastError == "" {
				t.Errorf("item of provider %q is not reported", item.Provider)
			}
			if item.Attempts > 30 {
				t.Errorf("tries in a day = %d, want about one an hour", item.Attempts)
			}
		}
		w.wantOutcome("unknown_provider")
		w.wantOutcome("unreadable")
		w.stop()

		w.options.Providers, w.options.Metrics = all, prometheus.NewRegistry()
		w.run()
		time.Sleep(2 * time.Hour)
		w.wantPending(1)
		w.wantLive(w.main, 0)
		time.Sleep(30 * 24 * time.Hour)
		w.wantPending(0)
		w.wantOutcome("dropped")
	})
}

// TestPendingIsMeasured.
func TestPendingIsMeasured(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		w.main.Intercept(odd.Revocation, odd.Answer(http.StatusServiceUnavailable, "text/plain", ""))
		w.run()
		for range 3 {
			w.end(w.login("main"), session.ReasonLogout)
		}
		time.Sleep(5 * time.Second)
		if n := testutil.CollectAndCount(w.options.Metrics.(*prometheus.Registry), "cloakroom_revocations_pending"); n != 1 {
			t.Errorf("series of cloakroom_revocations_pending = %d, want 1", n)
		}
		families, _ := w.options.Metrics.(*prometheus.Registry).Gather()
		for _, f := range families {
			if f.GetName() == "cloakroom_revocations_pending" && f.GetMetric()[0].GetGauge().GetValue() != 3 {
				t.Errorf("cloakroom_revocations_pending = %v, want 3", f.GetMetric()[0].GetGauge().GetValue())
			}
		}
	})
}
