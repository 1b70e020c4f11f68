package renewal_test

import (
	"context"
	"errors"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cloakroom/cloakroom/provider"
	"github.com/cloakroom/cloakroom/secret"
	"github.com/cloakroom/cloakroom/session"
	"github.com/cloakroom/cloakroom/session/renewal"
	"github.com/cloakroom/cloakroom/test/providers/odd"
)

// TestOnlyInvalidGrantEndsASession (RN9): whatever else the provider says or does not say, the
// session stays, a token that is still valid is used, and when the provider has come to its senses
// the same refresh token works.
func TestOnlyInvalidGrantEndsASession(t *testing.T) {
	for _, c := range []struct {
		name  string
		fault odd.Interceptor
		want  error
	}{
		{"500", odd.Answer(500, "text/plain", "oops"), provider.ErrUnreachable},
		{"503", odd.OAuthError(503, "temporarily_unavailable", "Retry-After", "7"), provider.ErrUnreachable},
		{"429", odd.Answer(429, "text/plain", "", "Retry-After", "3"), provider.ErrUnreachable},
		{"a page", odd.HTML(), provider.ErrUnreachable},
		{"a page with 404", odd.Answer(404, "text/html", "<p>no"), provider.ErrUnreachable},
		{"a redirect", odd.Redirect(307, "https://elsewhere.example/token"), provider.ErrUnreachable},
		{"an empty object", odd.Answer(200, "application/json", "{}"), provider.ErrUnreachable},
		{"an unknown error", odd.OAuthError(400, "moon_phase"), provider.ErrUnreachable},
		{"temporarily_unavailable with 400", odd.OAuthError(400, "temporarily_unavailable"), provider.ErrUnreachable},
		{"silence", odd.Hang(nil), provider.ErrUnreachable},
		{"a cut connection", odd.Drop(), provider.ErrUnreachable},
		{"invalid_client", odd.OAuthError(401, "invalid_client"), provider.ErrMisconfigured},
		{"invalid_client with 400", odd.OAuthError(400, "invalid_client"), provider.ErrMisconfigured},
		{"unauthorized_client", odd.OAuthError(400, "unauthorized_client"), provider.ErrMisconfigured},
	} {
		t.Run(c.name, func(t *testing.T) {
			inWorld(t, func(t *testing.T, w *world) {
				s := w.login()
				undo := w.op.Intercept(odd.Token, c.fault)
				time.Sleep(5*time.Minute - 9*time.Second)
				if token := w.mustToken(s); token.AccessToken != s.Record.AccessToken {
					t.Error("the token that is still valid was not used")
				}
				time.Sleep(time.Minute)
				if _, err := w.token(s); !errors.Is(err, c.want) || errors.Is(err, renewal.ErrRefused) {
					t.Errorf("token that ran out = %v, want %v", err, c.want)
				}
				w.get(s.Name)
				undo()
				w.wantOutcome(map[error]string{provider.ErrUnreachable: "transient", provider.ErrMisconfigured: "misconfigured"}[c.want])
				time.Sleep(time.Minute)
				w.mustToken(s)
				w.wantRenewals(1)
			})
		})
	}
}

// TestInvalidGrantEndsTheSession (RN9): it is gone at once, with its refresh token, and the
// provider is not asked again.
func TestInvalidGrantEndsTheSession(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		s := w.login()
		time.Sleep(6 * time.Minute)
		before := w.op.Count(odd.Token)
		w.op.Intercept(odd.Token, odd.OAuthError(400, "invalid_grant"))
		if _, err := w.token(s); !errors.Is(err, renewal.ErrRefused) || errors.Is(err, renewal.ErrNotRenewable) {
			t.Errorf("token = %v, want %v", err, renewal.ErrRefused)
		}
		w.wantGone(s)
		synctest.Wait() // until the flight has left; who joins it before hears its outcome
		if _, err := w.renewer.AccessToken(context.Background(), s); !errors.Is(err, session.ErrEnded) {
			t.Errorf("token of the ended session = %v, want %v", err, session.ErrEnded)
		}
		if n := w.op.Count(odd.Token) - before; n != 1 {
			t.Errorf("token requests = %d, want 1", n)
		}
		w.wantOutcome("refused")
	})
}

// TestRefusedSessionEndsEvenIfTheStoreIsSlowToAllowIt.
func TestRefusedSessionEndsEvenIfTheStoreIsSlowToAllowIt(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		s := w.login()
		time.Sleep(6 * time.Minute)
		w.op.Intercept(odd.Token, odd.OAuthError(400, "invalid_grant"))
		w.store.Before("end", fails)
		if _, err := w.token(s); !errors.Is(err, renewal.ErrRefused) {
			t.Errorf("token = %v, want %v", err, renewal.ErrRefused)
		}
		time.Sleep(10 * time.Second)
		w.store.Before("end", nil)
		time.Sleep(30 * time.Second)
		w.wantGone(s)
	})
}

// TestAnswerLostOnTheWireIsAskedForOnce (RN5): with a provider that had not seen the request, and
// with one that had but does not rotate, the session lives on; with one that had rotated and
// detects reuse it ends, by invalid_grant and nothing else.
func TestAnswerLostOnTheWireIsAskedForOnce(t *testing.T) {
	for _, c := range []struct {
		name   string
		lost   odd.Interceptor
		rotate bool
		want   error
	}{
		{"request lost", odd.Drop(), true, nil},
		{"answer lost, no rotation", odd.DropAnswer(), false, nil},
		{"answer lost, rotation without grace", odd.DropAnswer(), true, renewal.ErrRefused},
	} {
		t.Run(c.name, func(t *testing.T) {
			inWorld(t, func(t *testing.T, w *world) {
				w.op.SetRotation(c.rotate)
				s := w.login()
				time.Sleep(6 * time.Minute)
				before := w.op.Count(odd.Token)
				w.op.Intercept(odd.Token, odd.Next(1, c.lost))
				if _, err := w.token(s); !errors.Is(err, c.want) {
					t.Errorf("token = %v, want %v", err, c.want)
				}
				sent := w.op.Requests(odd.Token)[before:]
				if len(sent) != 2 || sent[0].Form.Get("refresh_token") != sent[1].Form.Get("refresh_token") {
					t.Errorf("token requests = %d, want 2 with the same refresh token", len(sent))
				}
			})
		})
	}
}

// TestThousandSessionsAtAProviderThatComesBack (RN14): while it is down it sees few requests,
// nobody is logged out, and when it is back all are renewed without trampling it.
func TestThousandSessionsAtAProviderThatComesBack(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		const n = 1000
		sessions := make([]*session.Session, n)
		for i := range sessions {
			sessions[i] = w.login()
		}
		time.Sleep(6 * time.Minute)
		undo := w.op.Intercept(odd.Token, odd.OAuthError(503, "temporarily_unavailable", "Retry-After", "5"))
		before := w.op.Count(odd.Token)
		var served sync.WaitGroup
		back := time.Now().Add(time.Minute)
		for _, s := range sessions {
			served.Go(func() {
				for {
					_, err := w.renewer.AccessToken(context.Background(), s)
					if err == nil {
						return
					}
					if !errors.Is(err, provider.ErrUnreachable) {
						t.Errorf("token = %v, want %v", err, provider.ErrUnreachable)
						return
					}
					time.Sleep(time.Second)
				}
			})
		}
		time.Sleep(time.Until(back))
		if seen := w.op.Count(odd.Token) - before; seen > 50 {
			t.Errorf("token requests in a minute of 503 = %d, want at most 50", seen)
		}
		undo()
		served.Wait()
		if took := time.Since(back); took > 20*time.Second {
			t.Errorf("the last session was renewed %v after the provider came back, want at most 20s", took)
		}
		w.wantRenewals(n)
	})
}

// TestPeopleWhoTryToLogInDoNotProlongAnOutage (RN14): their logins are sent while renewals are held
// back, and fail too.
func TestPeopleWhoTryToLogInDoNotProlongAnOutage(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		const n = 200
		sessions := make([]*session.Session, n)
		for i := range sessions {
			sessions[i] = w.login()
		}
		time.Sleep(6 * time.Minute)
		undo := w.op.Intercept(odd.Token, odd.Answer(503, "text/plain", "down"))
		before := w.op.Count(odd.Token)
		asks := func() (in int) {
			for _, s := range sessions {
				_, err := w.token(s)
				if err == nil {
					in++
				} else if !errors.Is(err, provider.ErrUnreachable) {
					t.Fatalf("token = %v, want %v", err, provider.ErrUnreachable)
				}
			}
			return in
		}
		const logins = 60
		for range logins {
			code, verifier := secret.New("a-code"), secret.New(strings.Repeat("v", 43))
			_, err := w.provider.Exchange(t.Context(), code, verifier)
			if !errors.Is(err, provider.ErrUnreachable) {
				t.Fatalf("login = %v, want %v", err, provider.ErrUnreachable)
			}
			asks()
			time.Sleep(100 * time.Millisecond)
		}
		if seen := w.op.Count(odd.Token) - before - logins; seen > 20 {
			t.Errorf("renewals sent in 6 s of 503 = %d, want at most 20", seen)
		}
		undo()
		back := time.Now()
		for asks() < n && time.Since(back) < time.Minute {
			time.Sleep(100 * time.Millisecond)
		}
		if took := time.Since(back); took > 15*time.Second {
			t.Errorf("the last session was renewed %v after the provider came back, want at most 15s", took)
		}
	})
}

// TestProviderThatHungIsUsedAsSoonAsItIsWell: what hung may never be answered, and must not hold up
// what would be.
func TestProviderThatHungIsUsedAsSoonAsItIsWell(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		const hung, waiting = 40, 20 // more than may be under way at once
		sessions := make([]*session.Session, hung+waiting)
		for i := range sessions {
			sessions[i] = w.login()
		}
		time.Sleep(6 * time.Minute)
		undo := w.op.Intercept(odd.Token, odd.Hang(nil))
		var served sync.WaitGroup
		for _, s := range sessions[:hung] {
			served.Go(func() { _, _ = w.token(s) })
		}
		time.Sleep(4 * time.Second)
		undo()
		well := time.Now()
		for _, s := range sessions[hung:] {
			served.Go(func() {
				if _, err := w.token(s); err != nil || time.Since(well) > 3*time.Second {
					t.Errorf("a token that did not hang = %v after %v", err, time.Since(well))
				}
			})
		}
		served.Wait()
		time.Sleep(30 * time.Second)
		for _, s := range sessions {
			w.mustToken(s)
		}
	})
}

// TestSessionsThatWaitForAProbeCostTheStoreNothing: while one request looks whether the provider is
// back, which may hang, whoever calls is told at once that it is not.
func TestSessionsThatWaitForAProbeCostTheStoreNothing(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		probe, other := w.login(), w.login()
		time.Sleep(6 * time.Minute)
		undo := w.op.Intercept(odd.Token, odd.Answer(503, "text/plain", "down"))
		for range 3 {
			_, _ = w.token(probe)
			time.Sleep(20 * time.Second)
		}
		undo()
		undo = w.op.Intercept(odd.Token, odd.Hang(nil))
		go func() { _, _ = w.renewer.AccessToken(context.Background(), probe) }()
		synctest.Wait()
		var leases atomic.Int64
		w.store.Before("acquire", func(context.Context) error { leases.Add(1); return nil })
		for range 100 {
			if _, err := w.renewer.AccessToken(context.Background(), other); !errors.Is(err, provider.ErrUnreachable) {
				t.Fatalf("token = %v, want %v", err, provider.ErrUnreachable)
			}
			time.Sleep(10 * time.Millisecond)
		}
		if n := leases.Load(); n > 0 {
			t.Errorf("leases taken = %d, want none", n)
		}
		undo()
		time.Sleep(time.Minute)
		w.mustToken(other)
	})
}

// TestSessionOfARemovedProviderStays: an operator's fault logs nobody out.
func TestSessionOfARemovedProviderStays(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		s := w.login()
		r := renewal.New(renewal.Options{Sessions: w.sessions, Leases: w.store, Logger: quiet})
		time.Sleep(6 * time.Minute)
		if _, err := r.AccessToken(context.Background(), s); !errors.Is(err, provider.ErrMisconfigured) {
			t.Errorf("token = %v, want %v", err, provider.ErrMisconfigured)
		}
		w.get(s.Name)
		if err := r.Close(context.Background()); err != nil {
			t.Error(err)
		}
	})
}
