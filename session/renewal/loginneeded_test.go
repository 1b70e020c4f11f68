package renewal_test

import (
	"context"
	"errors"
	"net/http"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cloakroom/cloakroom/provider"
	"github.com/cloakroom/cloakroom/session"
	"github.com/cloakroom/cloakroom/session/renewal"
	"github.com/cloakroom/cloakroom/test/providers/odd"
)

// wantLoginNeeded wants an access token to be refused for want of a login, and the session to say
// so and to have kept its refresh token.
func (w *world) wantLoginNeeded(s *session.Session) {
	w.t.Helper()
	if _, err := w.token(s); !errors.Is(err, renewal.ErrLoginNeeded) || errors.Is(err, provider.ErrUnreachable) {
		w.t.Errorf("token = %v, want %v alone", err, renewal.ErrLoginNeeded)
	}
	if rec := w.get(s.Name).Record; rec.LoginNeeded.IsZero() || rec.RefreshToken.IsZero() {
		w.t.Errorf("login needed since %v, refresh token kept = %v; want both", rec.LoginNeeded, !rec.RefreshToken.IsZero())
	}
}

// wantNoLoginNeeded wants the session to say that all is well.
func (w *world) wantNoLoginNeeded(s *session.Session) {
	w.t.Helper()
	if rec := w.get(s.Name).Record; !rec.LoginNeeded.IsZero() {
		w.t.Errorf("login needed since %v, want not", rec.LoginNeeded)
	}
}

// TestRefusalThatOnlyALoginHelpsKeepsTheSession (RN17): the valid token is used to its end,
// whichever way the provider puts it; then only a login helps, or a renewal that succeeds after
// all. The provider is asked once a minute.
func TestRefusalThatOnlyALoginHelpsKeepsTheSession(t *testing.T) {
	for code, status := range map[string]int{
		"interaction_required": 400, "login_required": 400, "consent_required": 403, "account_selection_required": 400,
		"access_denied": 403, "invalid_token": 401, "expired_token": 400,
	} {
		t.Run(code, func(t *testing.T) {
			inWorld(t, func(t *testing.T, w *world) {
				s := w.login()
				undo := w.op.Intercept(odd.Token, odd.OAuthError(status, code))
				time.Sleep(4*time.Minute + 30*time.Second)
				before := w.op.Count(odd.Token)
				for range 5 { // behind the request
					w.mustToken(s)
					synctest.Wait()
				}
				if rec := w.get(s.Name).Record; rec.LoginNeeded.IsZero() {
					t.Error("the session does not say that a login is needed while its token is valid")
				}
				time.Sleep(25 * time.Second) // in front of it
				w.mustToken(s)
				time.Sleep(10 * time.Second)
				for range 100 {
					w.wantLoginNeeded(s)
				}
				now := w.get(s.Name)
				_, err := w.renewer.AfterRejection(context.Background(), now, now.Record.AccessToken)
				if !errors.Is(err, renewal.ErrLoginNeeded) {
					t.Errorf("after a rejection: %v, want %v", err, renewal.ErrLoginNeeded)
				}
				if n := w.op.Count(odd.Token) - before; n != 1 {
					t.Errorf("token requests in the first minute = %d, want 1", n)
				}
				time.Sleep(30 * time.Second)
				for range 100 {
					w.wantLoginNeeded(s)
				}
				if n := w.op.Count(odd.Token) - before; n != 2 {
					t.Errorf("token requests after a minute = %d, want 2", n)
				}
				w.wantOutcome("login_needed")
				undo()
				time.Sleep(time.Minute)
				w.mustToken(s)
				w.wantNoLoginNeeded(s)
				w.wantRenewals(1)
			})
		})
	}
}

// TestProviderIsAskedOnceAMinuteByAllReplicas, and the record is written no more often, however
// many ask.
func TestProviderIsAskedOnceAMinuteByAllReplicas(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		s := w.login()
		replicas, closeAll := w.replicas(3)
		defer closeAll()
		w.op.Intercept(odd.Token, odd.OAuthError(400, "interaction_required"))
		time.Sleep(6 * time.Minute)
		before := w.op.Count(odd.Token)
		var all sync.WaitGroup
		for i, r := range replicas {
			all.Go(func() {
				for tick := range 50 * 10 {
					newest := w.get(s.Name)
					if _, err := r.AccessToken(context.Background(), newest); !errors.Is(err, renewal.ErrLoginNeeded) {
						t.Errorf("replica %d, tick %d: %v, want %v", i, tick, err, renewal.ErrLoginNeeded)
						return
					}
					time.Sleep(600 * time.Millisecond)
				}
			})
		}
		all.Wait() // five minutes
		if n := w.op.Count(odd.Token) - before; n < 4 || n > 6 {
			t.Errorf("token requests in five minutes = %d, want one a minute", n)
		}
		if written := w.get(s.Name).Version - s.Version; written > 6 {
			t.Errorf("the record was written %d times in five minutes, want once a minute at most", written)
		}
	})
}

// TestRenewalElsewhereBeatsARefusal: two replicas send the same refresh token since a lease was
// lost. One is told that a login is needed, the other gets tokens; in either order the session is
// well.
func TestRenewalElsewhereBeatsARefusal(t *testing.T) {
	for name, delays := range map[string][2]time.Duration{
		"the renewal is first": {time.Second, 3 * time.Second}, "the refusal is first": {3 * time.Second, time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			inWorld(t, func(t *testing.T, w *world) {
				s := w.login()
				w.store.Lapse()
				other := w.replica()
				defer func() { _ = other.Close(context.Background()) }()
				n := 0
				var mu sync.Mutex
				w.op.Intercept(odd.Token, func(a http.ResponseWriter, r *http.Request, next http.HandlerFunc) {
					mu.Lock()
					n++
					first := n == 1
					mu.Unlock()
					switch {
					case first:
						time.Sleep(delays[0])
						next(a, r)
					case n == 2:
						time.Sleep(delays[1])
						odd.OAuthError(400, "consent_required")(a, r, next)
					default:
						next(a, r)
					}
				})
				time.Sleep(6 * time.Minute)
				var all sync.WaitGroup
				for i, r := range []*renewal.Renewer{w.renewer, other} {
					all.Go(func() {
						time.Sleep(time.Duration(i) * 100 * time.Millisecond)
						_, err := r.AccessToken(context.Background(), s)
						if err != nil && !errors.Is(err, renewal.ErrLoginNeeded) {
							t.Errorf("replica %d: %v", i, err)
						}
					})
				}
				all.Wait()
				synctest.Wait()
				w.wantNoLoginNeeded(s)
				w.mustToken(s)
				time.Sleep(5 * time.Minute)
				w.mustToken(s) // and neither replica thinks that a login is needed
				time.Sleep(5 * time.Minute)
				if _, err := other.AccessToken(context.Background(), w.get(s.Name)); err != nil {
					t.Errorf("the replica that was refused: %v", err)
				}
			})
		})
	}
}

// TestLogoutBeatsANeededLogin: it comes while the provider refuses, or later. The session stays
// ended, and its refresh token, which was kept, is revoked.
func TestLogoutBeatsANeededLogin(t *testing.T) {
	for name, after := range map[string]time.Duration{"while the provider thinks": time.Second, "later": 30 * time.Second} {
		t.Run(name, func(t *testing.T) {
			inWorld(t, func(t *testing.T, w *world) {
				s := w.login()
				w.op.Intercept(odd.Token, func(a http.ResponseWriter, r *http.Request, next http.HandlerFunc) {
					time.Sleep(2 * time.Second)
					odd.OAuthError(400, "login_required")(a, r, next)
				})
				time.Sleep(6 * time.Minute)
				var all sync.WaitGroup
				all.Go(func() {
					if _, err := w.token(s); !errors.Is(err, session.ErrEnded) && !errors.Is(err, renewal.ErrLoginNeeded) {
						t.Errorf("token = %v", err)
					}
				})
				time.Sleep(after)
				if err := w.sessions.End(context.Background(), s.Name, session.ReasonLogout); err != nil {
					t.Fatal(err)
				}
				all.Wait()
				synctest.Wait()
				w.wantGone(s)
				w.wantInOutbox(s.Record.RefreshToken.Reveal())
			})
		})
	}
}

// TestOperatorsFaultAsksNobodyToLogIn: the provider refuses the client, or what it asks for. The
// log says what to do.
func TestOperatorsFaultAsksNobodyToLogIn(t *testing.T) {
	for code, status := range map[string]int{
		"invalid_client": 401, "unauthorized_client": 400, "unsupported_grant_type": 400, "invalid_scope": 400, "invalid_request": 400,
	} {
		t.Run(code, func(t *testing.T) {
			inWorld(t, func(t *testing.T, w *world) {
				s, other := w.login(), w.login()
				w.op.Intercept(odd.Token, refusing(s, odd.OAuthError(status, code)))
				time.Sleep(6 * time.Minute)
				for range 40 {
					w.mustToken(other)
					if _, err := w.token(s); !errors.Is(err, provider.ErrMisconfigured) {
						t.Fatalf("token = %v, want %v", err, provider.ErrMisconfigured)
					}
					time.Sleep(15 * time.Second)
				}
				w.wantNoLoginNeeded(s)
				w.wantOutcome("misconfigured")
				if !w.logs("remedy=") {
					t.Error("the log does not say what to do")
				}
			})
		})
	}
}

// TestUnreachableProviderDoesNotHideThatALoginIsNeeded: it has said so, and its outage changes
// nothing about it.
func TestUnreachableProviderDoesNotHideThatALoginIsNeeded(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		s := w.login()
		undo := w.op.Intercept(odd.Token, odd.OAuthError(400, "login_required"))
		time.Sleep(6 * time.Minute)
		w.wantLoginNeeded(s)
		undo()
		undo = w.op.Intercept(odd.Token, odd.Answer(503, "text/plain", "down"))
		for range 60 {
			time.Sleep(5 * time.Second)
			w.wantLoginNeeded(s)
		}
		undo()
		time.Sleep(time.Minute)
		w.mustToken(s)
		w.wantNoLoginNeeded(s)
	})
}

// refusing answers renewals of these sessions alone, which must not rotate.
func refusing(s *session.Session, with odd.Interceptor) odd.Interceptor {
	return func(w http.ResponseWriter, r *http.Request, next http.HandlerFunc) {
		if s.Record.RefreshToken.Equal(r.PostForm.Get("refresh_token")) {
			with(w, r, next)
			return
		}
		next(w, r)
	}
}

// TestRenewalWhoseIDTokenCanNotBeCheckedEndsTheWaitForALogin: the provider renews again, and its
// keys can't be fetched. That passes without a login.
func TestRenewalWhoseIDTokenCanNotBeCheckedEndsTheWaitForALogin(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		s := w.login()
		undo := w.op.Intercept(odd.Token, odd.OAuthError(http.StatusBadRequest, "interaction_required"))
		time.Sleep(6 * time.Minute)
		w.wantLoginNeeded(s)
		undo()
		w.op.Rotate()
		undo = w.op.Intercept(odd.JWKS, odd.Answer(http.StatusServiceUnavailable, "text/plain", ""))
		time.Sleep(2 * time.Minute)
		_, _ = w.token(s)
		time.Sleep(time.Second)
		w.wantNoLoginNeeded(s)
		if _, err := w.token(s); !errors.Is(err, provider.ErrUnreachable) || errors.Is(err, renewal.ErrLoginNeeded) {
			t.Errorf("token = %v, want %v alone", err, provider.ErrUnreachable)
		}
		undo()
		time.Sleep(5 * time.Minute)
		w.mustToken(s)
	})
}
