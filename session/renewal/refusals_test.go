package renewal_test

import (
	"errors"
	"fmt"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cloakroom/cloakroom/provider"
	"github.com/cloakroom/cloakroom/session"
	"github.com/cloakroom/cloakroom/session/renewal"
	"github.com/cloakroom/cloakroom/test/providers/odd"
	"github.com/cloakroom/cloakroom/test/world/parts"
)

// loginAs is login of another user.
func (w *world) loginAs(subject string) *session.Session {
	w.op.SetUser(odd.Claims{"sub": subject})
	return w.login()
}

// neededAfter asks for tokens of all sessions every ten seconds and returns after how long the
// first is said to need a login; 0 for never in twelve minutes. An error of the others is none of
// this test's.
func (w *world) neededAfter(s *session.Session, others ...*session.Session) time.Duration {
	w.t.Helper()
	began := time.Now()
	for time.Since(began) < 12*time.Minute {
		for _, other := range others {
			_, _ = w.token(other)
		}
		_, err := w.token(s)
		if errors.Is(err, renewal.ErrLoginNeeded) {
			return time.Since(began)
		}
		if err != nil && !errors.Is(err, provider.ErrUnreachable) {
			w.t.Fatalf("token = %v, want %v", err, provider.ErrUnreachable)
		}
		time.Sleep(10 * time.Second)
	}
	return 0
}

// TestRefusalsWithoutReasonAskForALoginWhenOthersAreRenewed (RN18): five in a row, over five
// minutes.
func TestRefusalsWithoutReasonAskForALoginWhenOthersAreRenewed(t *testing.T) {
	for _, c := range []struct {
		name   string
		answer odd.Interceptor
		others bool // whether the provider renews them
		needed bool
	}{
		{"400 with an unknown code", odd.OAuthError(400, "no_such_thing"), true, true},
		{"400 without a code", odd.Answer(400, "text/plain", "no"), true, true},
		{"403 with a page", odd.Answer(403, "text/html", "<p>blocked"), true, true},
		{"404", odd.Answer(404, "text/plain", "not found"), true, true},
		{"500", odd.Answer(500, "text/plain", "broken"), true, true},
		{"400 server_error", odd.OAuthError(400, "server_error"), true, true},
		{"503 with a code", odd.OAuthError(503, "temporarily_unavailable"), true, true},
		{"400 with an unknown code, to everybody", odd.OAuthError(400, "no_such_thing"), false, false},
		{"500, to everybody", odd.Answer(500, "text/plain", "broken"), false, false},
		{"429", odd.Answer(429, "text/plain", "slowly"), true, false},
		{"408", odd.Answer(408, "text/plain", "late"), true, false},
		{"400 slow_down", odd.OAuthError(400, "slow_down"), true, false},
		{"400 temporarily_unavailable", odd.OAuthError(400, "temporarily_unavailable"), true, false},
		{"no answer", odd.Drop(), true, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			inWorld(t, func(t *testing.T, w *world) {
				w.op.SetTokenLife(time.Minute)
				s, other := w.loginAs("alice"), w.loginAs("bob")
				if c.others {
					w.op.Intercept(odd.Token, refusing(s, c.answer))
				} else {
					w.op.Intercept(odd.Token, c.answer)
				}
				time.Sleep(2 * time.Minute)
				took := w.neededAfter(s, other)
				if c.needed && (took < 5*time.Minute || took > 7*time.Minute) || !c.needed && took != 0 {
					t.Errorf("a login is needed after %v, want after five minutes: %v", took, c.needed)
				}
				if c.needed {
					w.wantLoginNeeded(s)
				} else {
					w.wantNoLoginNeeded(s)
				}
			})
		})
	}
}

// TestProviderThatFailsMoreUsersThanItRenewsSendsNobodyToLogIn: a 5xx says something of a session
// only if it is alone with it. Nobody can tip the scales with sessions of their own, however many
// are renewed.
func TestProviderThatFailsMoreUsersThanItRenewsSendsNobodyToLogIn(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		w.op.SetTokenLife(time.Minute)
		var mallory []*session.Session
		for range 20 {
			mallory = append(mallory, w.loginAs("mallory"))
		}
		var failed []*session.Session
		for i := range 5 {
			s := w.loginAs(fmt.Sprint("user", i))
			failed = append(failed, s)
			w.op.Intercept(odd.Token, refusing(s, odd.Answer(500, "text/plain", "broken")))
		}
		time.Sleep(2 * time.Minute)
		if took := w.neededAfter(failed[0], append(mallory, failed[1:]...)...); took != 0 {
			t.Errorf("a login is needed after %v, want never: the provider fails five of six users", took)
		}
		w.wantNoLoginNeeded(failed[0])
	})
}

// TestRefusalsInARowEndWithARenewal: four refusals, a renewal, and they are counted anew.
func TestRefusalsInARowEndWithARenewal(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		w.op.SetTokenLife(time.Minute)
		s, other := w.loginAs("alice"), w.loginAs("bob")
		undo := w.op.Intercept(odd.Token, refusing(s, odd.OAuthError(400, "no_such_thing")))
		time.Sleep(2 * time.Minute)
		for began := time.Now(); time.Since(began) < 4*time.Minute+30*time.Second; time.Sleep(10 * time.Second) {
			_, _ = w.token(s)
			w.mustToken(other)
		}
		undo()
		time.Sleep(20 * time.Second)
		w.mustToken(s)
		w.op.Intercept(odd.Token, refusing(w.get(s.Name), odd.OAuthError(400, "no_such_thing")))
		time.Sleep(2 * time.Minute)
		if took := w.neededAfter(s, other); took < 5*time.Minute || took > 7*time.Minute {
			t.Errorf("a login is needed %v after a renewal, want five minutes", took)
		}
	})
}

// The clock that replicas share is set, as it is by a fail-over to a server with another one. How
// long a provider is left alone, and refuses, is this process's to measure.
func TestJumpOfTheSharedClockChangesNoPause(t *testing.T) {
	for name, jump := range map[string]time.Duration{"back": -2 * time.Minute, "ahead": 6 * time.Minute} {
		t.Run(name, func(t *testing.T) {
			var offset atomic.Int64
			now := func() time.Time { return time.Now().Add(time.Duration(offset.Load())) }
			op := odd.New(t, odd.WithClock(now))
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, op, parts.Wire{Handler: op.Server.Config.Handler}, now)
				defer w.close()
				w.op.SetTokenLife(time.Minute)
				s, other := w.loginAs("alice"), w.loginAs("bob")
				w.op.Intercept(odd.Token, refusing(s, odd.OAuthError(400, "no_such_thing")))
				time.Sleep(5 * time.Minute)
				for began := time.Now(); time.Since(began) < 2*time.Minute; time.Sleep(10 * time.Second) {
					_, _ = w.token(s)
				}
				offset.Store(int64(jump))
				_, _ = w.token(other)
				time.Sleep(16 * time.Second)
				before := w.op.Count(odd.Token)
				_, err := w.token(s)
				if errors.Is(err, renewal.ErrLoginNeeded) {
					t.Errorf("after two minutes of refusals: %v", err)
				}
				if n := w.op.Count(odd.Token) - before; n != 1 {
					t.Errorf("the provider was asked %d times after the pause, want once", n)
				}
			})
		})
	}
}
