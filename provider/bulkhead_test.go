package provider_test

import (
	"context"
	"errors"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/cloakroom/cloakroom/provider"
	"github.com/cloakroom/cloakroom/secret"
	"github.com/cloakroom/cloakroom/test/providers/odd"
)

// unlessRenewal applies an interceptor to all token requests except renewals.
func unlessRenewal(i odd.Interceptor) odd.Interceptor {
	return func(w http.ResponseWriter, r *http.Request, next http.HandlerFunc) {
		if r.PostForm.Get("grant_type") == "refresh_token" {
			next(w, r)
			return
		}
		i(w, r, next)
	}
}

// TestWhatStrangersCauseHoldsUpNoRenewal: requests that strangers cause, with made-up codes and for
// this service's own token, may be rate-limited, fail or hang. Renewals go on at once, over
// connections of their own.
func TestWhatStrangersCauseHoldsUpNoRenewal(t *testing.T) {
	strangers := map[string]func(context.Context, *provider.Provider) error{
		"a made-up code": func(ctx context.Context, p *provider.Provider) error {
			_, err := p.Exchange(ctx, secret.New("made-up"), secret.New(verifier))
			return err
		},
		"a client's token": func(ctx context.Context, p *provider.Provider) error {
			_, err := p.ClientCredentials(ctx, nil)
			return err
		},
	}
	answers := map[string]odd.Interceptor{
		"429 with Retry-After": odd.OAuthError(http.StatusTooManyRequests, "slow_down", "Retry-After", "60"),
		"503":                  odd.Answer(http.StatusServiceUnavailable, "text/plain", ""), "hangs up": odd.Drop(), "hangs": odd.Hang(nil),
	}
	for who, ask := range strangers {
		for how, answer := range answers {
			t.Run(who+", "+how, func(t *testing.T) {
				op := odd.New(t)
				p := newProvider(t, op)
				refreshToken := tokens(t, p, op).RefreshToken
				undo := op.Intercept(odd.Token, unlessRenewal(answer))
				defer undo()
				ctx, cancel := context.WithCancel(t.Context())
				defer cancel()
				var asking sync.WaitGroup
				for range 70 { // more than twice as many as may be under way
					asking.Go(func() { _ = ask(ctx, p) })
				}
				if how != "hangs" {
					asking.Wait()
				}
				for range 3 {
					renewed, err := p.Refresh(t.Context(), refreshToken, nil)
					if err != nil {
						t.Fatalf("renewal = %v", err)
					}
					refreshToken = renewed.RefreshToken
				}
				if err := p.RefreshBlocked(); err != nil {
					t.Errorf("renewals are held back: %v", err)
				}
				cancel()
				asking.Wait()
			})
		}
	}
}

// TestRetryAfterHoldsBackCodes: no code is sent for as long as Retry-After says, so that none is
// used up in vain. Other failures hold no code back: the cause may be a code of a stranger.
func TestRetryAfterHoldsBackCodes(t *testing.T) {
	op := odd.New(t)
	now := time.Now()
	p := newProvider(t, op, func(s *setup) { s.Now = func() time.Time { return now } })
	for range 5 {
		undo := op.Intercept(odd.Token, odd.Answer(http.StatusServiceUnavailable, "text/plain", ""))
		_, err := exchange(t, p, op)
		undo()
		if !errors.Is(err, provider.ErrUnreachable) {
			t.Fatalf("exchange = %v", err)
		}
	}
	tokens(t, p, op)
	undo := op.Intercept(odd.Token, odd.OAuthError(http.StatusTooManyRequests, "slow_down", "Retry-After", "30"))
	_, err := exchange(t, p, op)
	undo()
	if err == nil {
		t.Fatal("a code that was answered 429 was redeemed")
	}
	before := op.Count(odd.Token)
	held := code(t, p, op)
	u := new(provider.UnreachableError)
	if _, err := p.Exchange(t.Context(), held, secret.New(verifier)); !errors.As(err, &u) || !u.NotAsked || u.RetryAfter < 29*time.Second {
		t.Errorf("exchange = %v", err)
	}
	if sent := op.Count(odd.Token) - before; sent != 0 {
		t.Errorf("codes sent = %d, want 0", sent)
	}
	now = now.Add(31 * time.Second)
	if _, err := p.Exchange(t.Context(), held, secret.New(verifier)); err != nil {
		t.Errorf("after Retry-After: %v", err)
	}
}

// TestRetryAfterOfManyCodesIsObeyedAndNoMore: when codes of strangers are rate-limited again and
// again, honest logins wait only for as long as the provider asks, and not longer each time.
func TestRetryAfterOfManyCodesIsObeyedAndNoMore(t *testing.T) {
	op := odd.New(t)
	now := time.Now()
	p := newProvider(t, op, func(s *setup) { s.Now = func() time.Time { return now } })
	op.Intercept(odd.Token, odd.OAuthError(http.StatusTooManyRequests, "slow_down", "Retry-After", "1"))
	for range 12 {
		if _, err := p.Exchange(t.Context(), secret.New("made-up"), secret.New(verifier)); err == nil {
			t.Fatal("a made-up code was redeemed")
		}
		now = now.Add(1501 * time.Millisecond)
	}
	if n := op.Count(odd.Token); n != 12 {
		t.Errorf("codes sent = %d, want one in each second and a half", n)
	}
}

// TestAnswerThatWasUnderWayTakesNoRetryAfterBack: of two renewals at once, the provider refuses one
// with Retry-After, and then answers the other.
func TestAnswerThatWasUnderWayTakesNoRetryAfterBack(t *testing.T) {
	op, c := odd.New(t), &clock{}
	p := newProvider(t, op, func(s *setup) { s.Now = c.now })
	login := tokens(t, p, op)
	arrived, answer := make(chan struct{}), make(chan struct{})
	op.Intercept(odd.Token, odd.Next(1, func(w http.ResponseWriter, r *http.Request, next http.HandlerFunc) {
		close(arrived)
		<-answer
		next(w, r)
	}))
	done := make(chan error)
	go func() {
		_, err := p.Refresh(t.Context(), login.RefreshToken, nil)
		done <- err
	}()
	<-arrived
	undo := op.Intercept(odd.Token, odd.OAuthError(http.StatusTooManyRequests, "slow_down", "Retry-After", "60"))
	_, _ = p.Refresh(t.Context(), secret.New("another"), nil)
	undo()
	close(answer)
	if err := <-done; err != nil {
		t.Fatalf("the renewal that was under way: %v", err)
	}
	u := new(provider.UnreachableError)
	if err := p.RefreshBlocked(); !errors.As(err, &u) || u.RetryAfter < 59*time.Second {
		t.Errorf("the provider is left alone: %v, want for a minute", err)
	}
	c.advance(61 * time.Second)
	if err := p.RefreshBlocked(); err != nil {
		t.Errorf("after a minute: %v", err)
	}
}

// TestRenewalsHaveConnectionsOfTheirOwn: with HTTP/2, requests on one connection share its streams
// (SETTINGS_MAX_CONCURRENT_STREAMS, RFC 9113 §5.1.2), and fail together when it breaks.
func TestRenewalsHaveConnectionsOfTheirOwn(t *testing.T) {
	op := odd.New(t)
	var mu sync.Mutex // guards seen
	seen := map[string]map[string]bool{}
	op.Intercept(odd.Token, func(w http.ResponseWriter, r *http.Request, next http.HandlerFunc) {
		mu.Lock()
		kind := r.PostForm.Get("grant_type")
		if seen[kind] == nil {
			seen[kind] = map[string]bool{}
		}
		seen[kind][r.RemoteAddr] = true
		mu.Unlock()
		next(w, r)
	})
	p := newProvider(t, op)
	refreshToken := tokens(t, p, op).RefreshToken
	for range 3 {
		renewed, err := p.Refresh(t.Context(), refreshToken, nil)
		if err != nil {
			t.Fatal(err)
		}
		refreshToken = renewed.RefreshToken
		tokens(t, p, op)
	}
	for connection := range seen["refresh_token"] {
		if seen["authorization_code"][connection] {
			t.Errorf("renewals and codes share the connection from %s", connection)
		}
	}
}
