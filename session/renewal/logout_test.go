package renewal_test

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cloakroom/cloakroom/session"
	"github.com/cloakroom/cloakroom/test/providers/odd"
)

// TestLogoutDuringRenewalWins (RN12): while the provider thinks about the renewal, or while it is
// being committed, the session ends, by the user or by the provider's back-channel logout. It stays
// ended, nobody gets the new token, and the newest refresh token is what waits to be revoked.
func TestLogoutDuringRenewalWins(t *testing.T) {
	for _, reason := range []session.Reason{session.ReasonLogout, session.ReasonProviderLogout, session.ReasonRevoked} {
		for _, stage := range []struct {
			name  string
			after time.Duration
		}{{"the provider thinks", time.Second}, {"it is being committed", 3 * time.Second}} {
			t.Run(string(reason)+" while "+stage.name, func(t *testing.T) {
				inWorld(t, func(t *testing.T, w *world) {
					s := w.login()
					w.op.Intercept(odd.Token, odd.Delay(2*time.Second))
					w.store.Before("update", func(context.Context) error { time.Sleep(2 * time.Second); return nil })
					time.Sleep(6 * time.Minute)
					var all sync.WaitGroup
					for range 10 {
						all.Go(func() {
							if _, err := w.renewer.AccessToken(context.Background(), s); !errors.Is(err, session.ErrEnded) {
								t.Errorf("token after the logout = %v, want %v", err, session.ErrEnded)
							}
						})
					}
					time.Sleep(stage.after)
					if err := w.sessions.End(context.Background(), s.Name, reason); err != nil {
						t.Fatalf("end the session: %v", err)
					}
					all.Wait()
					synctest.Wait()
					w.wantGone(s)
					w.wantRenewals(1)
					w.wantInOutbox(w.lastGrant().Issued)
					w.wantOutcome("lost_to_logout")
				})
			})
		}
	}
}

// TestLogoutWhileTokensAreInMemoryWins (RN12): the commit was failing when the user logged out.
func TestLogoutWhileTokensAreInMemoryWins(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		s := w.login()
		time.Sleep(6 * time.Minute)
		w.store.Before("update", fails)
		w.mustToken(s)
		if err := w.sessions.End(context.Background(), s.Name, session.ReasonLogout); err != nil {
			t.Fatalf("end the session: %v", err)
		}
		w.store.Before("update", nil)
		time.Sleep(time.Minute)
		w.wantGone(s)
		w.wantInOutbox(w.lastGrant().Issued)
	})
}

// TestLogoutWhileTheIDTokenCanNotBeChecked (RN12): the provider has issued tokens, its keys can't
// be fetched, and the user logs out. Nobody will use what was issued.
func TestLogoutWhileTheIDTokenCanNotBeChecked(t *testing.T) {
	for name, rotation := range map[string]bool{"a new refresh token": true, "the old refresh token": false} {
		t.Run(name, func(t *testing.T) {
			inWorld(t, func(t *testing.T, w *world) {
				w.op.SetRotation(rotation)
				s := w.login()
				time.Sleep(6 * time.Minute)
				w.op.Rotate()
				w.op.Intercept(odd.JWKS, func(rw http.ResponseWriter, _ *http.Request, _ http.HandlerFunc) {
					time.Sleep(3 * time.Second)
					rw.WriteHeader(http.StatusServiceUnavailable)
				})
				var all sync.WaitGroup
				all.Go(func() { _, _ = w.token(s) })
				time.Sleep(time.Second)
				if err := w.sessions.End(context.Background(), s.Name, session.ReasonLogout); err != nil {
					t.Fatalf("end the session: %v", err)
				}
				all.Wait()
				time.Sleep(time.Minute)
				w.wantGone(s)
				issued := w.lastGrant()
				if !slices.ContainsFunc(w.outbox(), func(rec *session.Record) bool {
					return rec.AccessToken.Equal(issued.AccessToken) && rec.RefreshToken.Equal(issued.Issued)
				}) {
					t.Error("what was issued is not in the outbox; it would live on")
				}
			})
		})
	}
}

// TestOrphanedTokensAreRevokedEvenWithoutOutbox (RN12): the last resort.
func TestOrphanedTokensAreRevokedEvenWithoutOutbox(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		s := w.login()
		w.op.Intercept(odd.Token, odd.Delay(2*time.Second))
		w.store.Before("enqueue", fails)
		time.Sleep(6 * time.Minute)
		var all sync.WaitGroup
		all.Go(func() { _, _ = w.renewer.AccessToken(context.Background(), s) })
		time.Sleep(time.Second)
		if err := w.sessions.End(context.Background(), s.Name, session.ReasonLogout); err != nil {
			t.Fatalf("end the session: %v", err)
		}
		all.Wait()
		time.Sleep(2 * time.Minute)
		if live := w.op.LiveRefreshTokens(); len(live) != 0 {
			t.Errorf("live refresh tokens at the provider = %d, want 0", len(live))
		}
	})
}

// TestSessionThatExpiresDuringRenewalStaysExpired.
func TestSessionThatExpiresDuringRenewalStaysExpired(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		w.op.SetTokenLife(12 * time.Hour)
		s := w.login()
		w.op.Intercept(odd.Token, odd.Delay(2*time.Second))
		time.Sleep(12*time.Hour - time.Second)
		_, err := w.renewer.AccessToken(context.Background(), s)
		if err != nil && !errors.Is(err, session.ErrSessionExpired) &&
			!errors.Is(err, session.ErrEnded) {
			t.Errorf("token at the session's end = %v", err)
		}
		time.Sleep(10 * time.Second)
		if _, err := w.sessions.Get(context.Background(), s.Name); err == nil {
			t.Error("the session lives on after its absolute expiry")
		}
		if _, err := w.sessions.EndExpired(context.Background(), 10); err != nil {
			t.Fatalf("end expired sessions: %v", err)
		}
		w.wantInOutbox(w.lastGrant().Issued)
	})
}
