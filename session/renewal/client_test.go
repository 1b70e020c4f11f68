package renewal_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/cloakroom/cloakroom/provider"
	"github.com/cloakroom/cloakroom/session/renewal"
	"github.com/cloakroom/cloakroom/test/providers/odd"
)

func (w *world) clientTokens() *renewal.ClientTokens {
	return renewal.NewClientTokens(renewal.ClientOptions{Providers: w.providers, Logger: quiet, Metrics: prometheus.NewRegistry()})
}

// TestClientTokenIsAskedForOnce by a hundred requests, kept, renewed behind them, and told apart by
// its scopes.
func TestClientTokenIsAskedForOnce(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		c := w.clientTokens()
		w.op.Intercept(odd.Token, odd.Delay(50*time.Millisecond))
		ask := func() {
			var all sync.WaitGroup
			for i := range 100 {
				all.Go(func() {
					scopes := []string{"read", "write"}
					if i%2 == 1 {
						scopes = []string{"write", "read"}
					}
					if _, err := c.AccessToken(context.Background(), "main", scopes); err != nil {
						t.Errorf("token: %v", err)
					}
				})
			}
			all.Wait()
		}
		ask()
		ask()
		w.wantClientGrants(1)
		if _, err := c.AccessToken(context.Background(), "main", []string{"read"}); err != nil {
			t.Errorf("token of another scope: %v", err)
		}
		w.wantClientGrants(2)

		time.Sleep(4*time.Minute + 10*time.Second)
		began := time.Now()
		ask()
		if took := time.Since(began); took != 0 {
			t.Errorf("requests waited %v for a token that was valid", took)
		}
		time.Sleep(time.Second)
		w.wantClientGrants(3)
	})
}

func (w *world) wantClientGrants(n int) {
	w.t.Helper()
	if got := len(w.op.Grants("client_credentials")); got != n {
		w.t.Errorf("client credentials grants = %d, want %d", got, n)
	}
}

// TestRejectedClientTokenIsReplacedOnce (RN10).
func TestRejectedClientTokenIsReplacedOnce(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		c := w.clientTokens()
		first, err := c.AccessToken(context.Background(), "main", nil)
		if err != nil {
			t.Fatal(err)
		}
		var all sync.WaitGroup
		for range 10 {
			all.Go(func() {
				next, err := c.AfterRejection(context.Background(), "main", nil, first.AccessToken)
				if err != nil || next.AccessToken == first.AccessToken {
					t.Errorf("token = %v, %v; want another", next, err)
				}
			})
		}
		all.Wait()
		w.wantClientGrants(2)
		second, _ := c.AccessToken(context.Background(), "main", nil)
		if _, err := c.AfterRejection(context.Background(), "main", nil, second.AccessToken); !errors.Is(err, renewal.ErrNotRenewed) {
			t.Errorf("the second rejection at once = %v, want %v", err, renewal.ErrNotRenewed)
		}
		w.wantClientGrants(2)
	})
}

// TestClientTokenWhileTheProviderIsDown: a valid one is used, the provider is left in peace, and
// the errors tell an outage from a refusal.
func TestClientTokenWhileTheProviderIsDown(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		c := w.clientTokens()
		if _, err := c.AccessToken(context.Background(), "main", nil); err != nil {
			t.Fatal(err)
		}
		undo := w.op.Intercept(odd.Token, odd.Answer(503, "text/plain", ""))
		time.Sleep(5*time.Minute - 5*time.Second)
		if _, err := c.AccessToken(context.Background(), "main", nil); err != nil {
			t.Errorf("token that is still valid: %v", err)
		}
		time.Sleep(time.Minute)
		before := w.op.Count(odd.Token)
		for range 100 {
			if _, err := c.AccessToken(context.Background(), "main", nil); !errors.Is(err, provider.ErrUnreachable) {
				t.Fatalf("token = %v, want %v", err, provider.ErrUnreachable)
			}
		}
		if n := w.op.Count(odd.Token) - before; n > 1 {
			t.Errorf("token requests = %d, want at most 1", n)
		}
		undo()
		w.op.Intercept(odd.Token, odd.OAuthError(400, "invalid_scope"))
		time.Sleep(time.Minute)
		for range 2 {
			if _, err := c.AccessToken(context.Background(), "main", nil); !errors.Is(err, provider.ErrMisconfigured) {
				t.Errorf("token = %v, want %v", err, provider.ErrMisconfigured)
			}
		}
		if _, err := c.AccessToken(context.Background(), "nobody", nil); !errors.Is(err, provider.ErrMisconfigured) {
			t.Errorf("token of an unknown provider = %v, want %v", err, provider.ErrMisconfigured)
		}
	})
}
