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

// RN14: at most 32 token requests are under way, however many sessions ask.
func TestTokenRequestsUnderWayAreBounded(t *testing.T) {
	op := odd.New(t)
	p := newProvider(t, op)
	var mu sync.Mutex
	underWay, most := 0, 0
	op.Intercept(odd.Token, func(w http.ResponseWriter, r *http.Request, next http.HandlerFunc) {
		mu.Lock()
		underWay++
		most = max(most, underWay)
		mu.Unlock()
		time.Sleep(10 * time.Millisecond)
		mu.Lock()
		underWay--
		mu.Unlock()
		next(w, r)
	})
	var wg sync.WaitGroup
	for range 100 {
		wg.Go(func() {
			if _, err := p.ClientCredentials(t.Context(), nil); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if most > 32 || most < 2 {
		t.Errorf("most token requests under way = %d, want at most 32", most)
	}
}

// RN14: while the provider fails, no renewals reach it. When it is back, one request probes it
// first.
func TestFailingProviderIsLeftAlone(t *testing.T) {
	op, c := odd.New(t), &clock{}
	p := newProvider(t, op, func(s *setup) { s.Now = c.now })
	login := tokens(t, p, op)
	before := op.Count(odd.Token)
	up := op.Intercept(odd.Token, odd.Answer(503, "text/plain", ""))
	var wg sync.WaitGroup
	for range 1000 {
		wg.Go(func() {
			if _, err := p.Refresh(t.Context(), login.RefreshToken, nil); !errors.Is(err, provider.ErrUnreachable) {
				t.Errorf("error = %v, want unreachable", err)
			}
		})
	}
	wg.Wait()
	if n := op.Count(odd.Token) - before; n > 40 {
		t.Errorf("requests of 1000 sessions = %d, want at most one bound's worth", n)
	}
	before = op.Count(odd.Token)
	c.advance(time.Minute)
	for range 10 { // one looks, and since it fails the others don't
		_, _ = p.Refresh(t.Context(), login.RefreshToken, nil)
	}
	if n := op.Count(odd.Token) - before; n != 1 {
		t.Errorf("requests after a minute = %d, want 1", n)
	}
	up()
	c.advance(time.Minute)
	for range 2 {
		got, err := p.Refresh(t.Context(), login.RefreshToken, nil)
		if err != nil {
			t.Fatalf("after it came back: %v", err)
		}
		login = got
	}
}

// RN14, RV3: Retry-After is obeyed from the first failure on, in both forms, up to two minutes.
func TestRetryAfterIsObeyed(t *testing.T) {
	for header, want := range map[string]time.Duration{
		"30": 30 * time.Second, "86400": 2 * time.Minute, "99999999999999999999": 0, "-5": 0, "soon": 0,
		time.Now().Add(40 * time.Second).UTC().Format(http.TimeFormat): 40 * time.Second,
		time.Now().Add(-time.Hour).UTC().Format(http.TimeFormat):       0,
	} {
		op, c := odd.New(t), &clock{}
		p := newProvider(t, op, func(s *setup) { s.Now = c.now })
		op.Intercept(odd.Token, odd.Answer(429, "text/plain", "", "Retry-After", header))
		_, err := p.Refresh(t.Context(), secret.New("rt"), nil)
		var u *provider.UnreachableError
		if !errors.As(err, &u) || u.RetryAfter > want || u.RetryAfter < want-2*time.Second {
			t.Errorf("Retry-After %q: error = %#v, want %v", header, err, want)
			continue
		}
		if want > 0 {
			_, err = p.Refresh(t.Context(), secret.New("rt"), nil)
			if !errors.As(err, &u) || u.RetryAfter < want-2*time.Second || op.Count(odd.Token) != 1 {
				t.Errorf("Retry-After %q: second error = %v after %d requests", header, err, op.Count(odd.Token))
			}
			if _, err := exchange(t, p, op); op.Count(odd.Token) != 2 || err == nil {
				t.Errorf("a login was held back by renewals' backoff")
			}
		}
	}
}

// RN5: one lost answer is no outage: the next renewal is sent at once.
func TestOneLostAnswerDoesNotHoldRenewalsBack(t *testing.T) {
	op := odd.New(t)
	p := newProvider(t, op)
	login := tokens(t, p, op)
	op.Intercept(odd.Token, odd.Next(1, odd.Drop()))
	if _, err := p.Refresh(t.Context(), login.RefreshToken, nil); !errors.Is(err, provider.ErrUnreachable) {
		t.Errorf("error = %v, want unreachable", err)
	}
	if _, err := p.Refresh(t.Context(), login.RefreshToken, nil); err != nil {
		t.Errorf("the next renewal: %v", err)
	}
}

// A caller that goes away says nothing about the provider.
func TestCallersWhoGoAwayDoNotCountAsFailures(t *testing.T) {
	op := odd.New(t)
	p := newProvider(t, op)
	login := tokens(t, p, op)
	undo := op.Intercept(odd.Token, odd.Hang(nil))
	for range 5 {
		before := op.Count(odd.Token)
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error)
		go func() { _, err := p.Refresh(ctx, login.RefreshToken, nil); done <- err }()
		waitFor(t, "request", func() bool { return op.Count(odd.Token) > before })
		cancel()
		if err := <-done; !errors.Is(err, context.Canceled) {
			t.Errorf("error = %v, want canceled", err)
		}
	}
	undo()
	if _, err := p.Refresh(t.Context(), login.RefreshToken, nil); err != nil {
		t.Errorf("the next renewal: %v", err)
	}
}

// RN14: requests that were under way when the provider last answered say nothing about it when they
// fail later. A process that was cut off sees many of them, one after the other; they must not hold
// renewals back.
func TestOldFailuresDoNotHoldRenewalsBack(t *testing.T) {
	op := odd.New(t)
	p := newProvider(t, op)
	login := tokens(t, p, op)
	const stuck = 6
	release := make([]chan struct{}, stuck)
	entered := make(chan struct{}, stuck)
	var wg sync.WaitGroup
	for i := range stuck {
		release[i] = make(chan struct{})
		up := op.Intercept(odd.Token, func(http.ResponseWriter, *http.Request, http.HandlerFunc) {
			entered <- struct{}{}
			<-release[i]
			panic(http.ErrAbortHandler)
		})
		wg.Go(func() { _, _ = p.ClientCredentials(t.Context(), nil) })
		<-entered
		up()
	}
	for i := 0; ; i += 2 {
		got, err := p.Refresh(t.Context(), login.RefreshToken, nil)
		if err != nil {
			t.Errorf("after %d old failures: %v", i, err)
		} else {
			login = got
		}
		if i == stuck {
			break
		}
		close(release[i])
		close(release[i+1])
		time.Sleep(20 * time.Millisecond)
	}
	wg.Wait()
}
