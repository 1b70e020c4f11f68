package renewal_test

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cloakroom/cloakroom/session"
	"github.com/cloakroom/cloakroom/session/renewal"
	"github.com/cloakroom/cloakroom/session/store/storetest"
	"github.com/cloakroom/cloakroom/test/providers/odd"
)

// TestCallerGoneAtEachStageLosesNothing (RN4): whoever asked may leave before the refresh token is
// sent, while the provider thinks, or while the store is stalled at the commit. The next request
// finds the renewed token, and the spent one is never sent again.
func TestCallerGoneAtEachStageLosesNothing(t *testing.T) {
	for _, stage := range []struct {
		name  string
		after time.Duration
	}{{"before it is sent", 0}, {"while the provider thinks", time.Second}, {"while the store is stalled", 3 * time.Second}} {
		t.Run(stage.name, func(t *testing.T) {
			inWorld(t, func(t *testing.T, w *world) {
				s := w.login()
				w.op.Intercept(odd.Token, odd.Delay(2*time.Second))
				w.store.Before("update", func(context.Context) error { time.Sleep(2 * time.Second); return nil })
				time.Sleep(6 * time.Minute)
				ctx, cancel := context.WithTimeout(context.Background(), stage.after)
				defer cancel()
				if _, err := w.renewer.AccessToken(ctx, s); !errors.Is(err, context.DeadlineExceeded) {
					t.Fatalf("token for the caller who left = %v, want %v", err, context.DeadlineExceeded)
				}
				time.Sleep(10 * time.Second)
				if token := w.mustToken(s); token.AccessToken == s.Record.AccessToken {
					t.Error("the token was not renewed")
				}
				w.wantRenewals(1)
			})
		})
	}
}

// TestStoreFailingAtCommitLosesNothing (RN4): the tokens are used from memory while the write is
// tried again, and the refresh token that is spent is not sent again.
func TestStoreFailingAtCommitLosesNothing(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		s := w.login()
		time.Sleep(6 * time.Minute)
		w.store.Before("update", fails)
		first := w.mustToken(s)
		if first.AccessToken == s.Record.AccessToken {
			t.Fatal("the token was not renewed")
		}
		for range 4 {
			time.Sleep(time.Minute)
			if token := w.mustToken(s); token.AccessToken != first.AccessToken {
				t.Fatal("another token than the one in memory")
			}
		}
		time.Sleep(2 * time.Minute)
		if _, err := w.token(s); !errors.Is(err, session.ErrUnavailable) {
			t.Errorf("after the token in memory ran out = %v, want %v", err, session.ErrUnavailable)
		}
		w.wantRenewals(1)

		w.store.Before("update", nil)
		time.Sleep(time.Minute)
		if got := w.get(s.Name).Record.AccessToken; got != first.AccessToken {
			t.Error("the token in memory was not saved when the store came back")
		}
		w.mustToken(s)
		w.wantRenewals(2)
	})
}

// TestCommitWhoseAnswerWasLostIsNotRepeated (RN4): the write happened, the store's answer did not
// come.
func TestCommitWhoseAnswerWasLostIsNotRepeated(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		s := w.login()
		time.Sleep(6 * time.Minute)
		w.store.After("update", func() error { w.store.After("update", nil); return storetest.ErrDisk })
		w.mustToken(s)
		time.Sleep(time.Second)
		if n := w.get(s.Name).Record.Renewals; n != 1 {
			t.Errorf("renewals in the record = %d, want 1", n)
		}
		w.wantRenewals(1)
		if n := len(w.outbox()); n != 0 {
			t.Errorf("items in the outbox = %d, want 0", n)
		}
	})
}

// TestCommitIsNotDoneBeforeTheStoreSaysSo (RN4): each try writes, and the store's replicas don't
// confirm it. A fail-over now would leave the old refresh token.
func TestCommitIsNotDoneBeforeTheStoreSaysSo(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		s := w.login()
		time.Sleep(6 * time.Minute)
		var tries atomic.Int32
		w.store.After("update", func() error { tries.Add(1); return storetest.ErrDisk })
		token := w.mustToken(s)
		time.Sleep(time.Minute)
		if n := tries.Load(); n < 10 {
			t.Errorf("tries in a minute = %d, want that they go on", n)
		}
		w.store.After("update", nil)
		time.Sleep(2 * time.Second)
		if r := w.get(s.Name).Record; r.Renewals != 1 || r.AccessToken != token.AccessToken {
			t.Errorf("renewals in the record = %d, want 1, with the tokens in use", r.Renewals)
		}
		w.wantOutcome("ok")
		w.wantRenewals(1)
	})
}

// TestStoreDownBeforeTheRenewal: nothing is sent that could not be saved; a valid token is used.
func TestStoreDownBeforeTheRenewal(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		s := w.login()
		w.store.Before("load", fails)
		time.Sleep(5*time.Minute - 5*time.Second)
		if token, err := w.renewer.AccessToken(context.Background(), s); err != nil || token.AccessToken != s.Record.AccessToken {
			t.Errorf("token that is still valid = %v, %v", token, err)
		}
		time.Sleep(time.Minute)
		if _, err := w.renewer.AccessToken(context.Background(), s); !errors.Is(err, session.ErrUnavailable) {
			t.Errorf("token that ran out = %v, want %v", err, session.ErrUnavailable)
		}
		w.wantRenewals(0)
	})
}

// TestCloseCommitsWhatIsUnderWay and lets nothing new start.
func TestCloseCommitsWhatIsUnderWay(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		s := w.login()
		w.op.Intercept(odd.Token, odd.Delay(2*time.Second))
		time.Sleep(4*time.Minute + 10*time.Second)
		w.mustToken(s) // renews behind
		if err := w.renewer.Close(context.Background()); err != nil {
			t.Fatalf("close: %v", err)
		}
		if got := w.get(s.Name).Record.Renewals; got != 1 {
			t.Errorf("renewals committed = %d, want 1", got)
		}
		time.Sleep(4*time.Minute + 10*time.Second)
		w.mustToken(s)
		w.wantRenewals(1)
	})
}

// TestCloseGivesUpAtItsDeadline when the store does not come back.
func TestCloseGivesUpAtItsDeadline(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		s := w.login()
		time.Sleep(6 * time.Minute)
		w.store.Before("update", fails)
		w.mustToken(s)
		ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
		defer cancel()
		if err := w.renewer.Close(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("close = %v, want %v", err, context.DeadlineExceeded)
		}
		synctest.Wait()
	})
}

// TestSessionWithoutRefreshToken is used to its end, and then goes on without an access token.
func TestSessionWithoutRefreshToken(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		w.op.SetRefreshTokens(false)
		s := w.login()
		time.Sleep(5*time.Minute - time.Second)
		w.mustToken(s)
		time.Sleep(2 * time.Second)
		_, err := w.token(s)
		if !errors.Is(err, renewal.ErrNotRenewable) || !errors.Is(err, renewal.ErrRefused) {
			t.Errorf("token that ran out = %v, want %v", err, renewal.ErrNotRenewable)
		}
		w.get(s.Name) // it is there
	})
}

// TestWaitersHearOfTheFirstFailureTogether: nobody starts a second flight for the same failure.
func TestWaitersHearOfTheFirstFailureTogether(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		s := w.login()
		time.Sleep(6 * time.Minute)
		before := w.op.Count(odd.Token)
		w.op.Intercept(odd.Token, odd.OAuthError(503, "temporarily_unavailable"))
		var all sync.WaitGroup
		for range 50 {
			all.Go(func() {
				if _, err := w.renewer.AccessToken(context.Background(), s); err == nil {
					t.Error("got a token from a provider that is down")
				}
			})
		}
		all.Wait()
		if n := w.op.Count(odd.Token) - before; n != 1 {
			t.Errorf("token requests = %d, want 1", n)
		}
	})
}
