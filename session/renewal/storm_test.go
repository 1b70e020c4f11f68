package renewal_test

import (
	"context"
	"net/http"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cloakroom/cloakroom/keys"
	"github.com/cloakroom/cloakroom/session"
	"github.com/cloakroom/cloakroom/session/renewal"
	"github.com/cloakroom/cloakroom/site"
	"github.com/cloakroom/cloakroom/site/sitetest"
	"github.com/cloakroom/cloakroom/test/providers/odd"
)

// TestHundredRequestsJustAfterExpiryAreOneRenewal, ten times over, at a provider that kills a grant
// whose spent refresh token comes again (RN2).
func TestHundredRequestsJustAfterExpiryAreOneRenewal(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		s := w.login()
		w.op.Intercept(odd.Token, odd.Delay(50*time.Millisecond))
		for round := 1; round <= 10; round++ {
			time.Sleep(5*time.Minute + time.Millisecond)
			got := w.storm(s, 100)
			if len(got) != 1 {
				t.Errorf("round %d: different access tokens = %d, want 1", round, len(got))
			}
			w.wantRenewals(round)
		}
		w.wantOutcome("ok")
		if n := w.get(s.Name).Record.Renewals; n != 10 {
			t.Errorf("renewals in the record = %d, want 10", n)
		}
	})
}

// storm has n requests that read the session at the same moment ask for its token.
func (w *world) storm(s *session.Session, n int) map[string]int {
	w.t.Helper()
	var (
		mu     sync.Mutex
		tokens = map[string]int{}
		all    sync.WaitGroup
	)
	old := w.get(s.Name)
	for i := range n {
		all.Go(func() {
			time.Sleep(time.Duration(i) * time.Millisecond) // some come when it is over, with the old session in hand
			token, err := w.renewer.AccessToken(context.Background(), old)
			if err != nil {
				w.t.Errorf("request %d: %v", i, err)
				return
			}
			mu.Lock()
			defer mu.Unlock()
			tokens[token.AccessToken.Reveal()]++
		})
	}
	all.Wait()
	return tokens
}

// TestTwoSecondTokensWork: every request within a minute gets a token that is still valid.
func TestTwoSecondTokensWork(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		w.op.SetTokenLife(2 * time.Second)
		w.op.Intercept(odd.Token, odd.Delay(20*time.Millisecond))
		s := w.login()
		for range 600 {
			token := w.mustToken(s)
			if left := time.Until(token.Session.Record.AccessTokenExpires); left <= 0 {
				t.Fatalf("the access token ran out %v ago", -left)
			}
			time.Sleep(100 * time.Millisecond)
		}
		if n := len(w.op.Grants("refresh_token")); n < 30 || n > 45 {
			t.Errorf("renewals in a minute = %d, want about one in 1.5 s", n)
		}
	})
}

// TestNoRequestWaitsWhileTheTokenIsValid: the renewal of an aging token takes three seconds, and no
// request any time at all.
func TestNoRequestWaitsWhileTheTokenIsValid(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		s := w.login()
		old := s.Record.AccessToken
		w.op.Intercept(odd.Token, odd.Delay(3*time.Second))
		time.Sleep(4*time.Minute + 10*time.Second) // 83 % of five minutes
		for range 10 {
			began := time.Now()
			if token := w.mustToken(s); token.AccessToken != old {
				t.Fatal("the token was renewed in front of the request")
			}
			if took := time.Since(began); took != 0 {
				t.Fatalf("the request waited %v for its token", took)
			}
		}
		time.Sleep(4 * time.Second)
		if token := w.mustToken(s); token.AccessToken == old {
			t.Error("the token was not renewed behind the request")
		}
		w.wantRenewals(1)
	})
}

// TestHangingProviderDoesNotSpoilAValidToken: eight seconds before its end a token is worth four
// seconds of waiting, then it is used.
func TestHangingProviderDoesNotSpoilAValidToken(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		s := w.login()
		undo := w.op.Intercept(odd.Token, odd.Hang(nil))
		time.Sleep(5*time.Minute - 8*time.Second)
		began := time.Now()
		if token := w.mustToken(s); token.AccessToken != s.Record.AccessToken {
			t.Error("got another token from a provider that hangs")
		}
		if took := time.Since(began); took != 4*time.Second {
			t.Errorf("the request waited %v, want 4s", took)
		}
		undo()
	})
}

// TestOtherReplicaRenewedFirst, after a lease that ran out: its tokens are used, and the session is
// not ended for the invalid_grant that the second one gets (RN2, RN9).
func TestOtherReplicaRenewedFirst(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		s := w.login()
		other := w.replica()
		w.store.Lapse()
		time.Sleep(6 * time.Minute)
		release := make(chan struct{})
		w.op.Intercept(odd.Token, odd.Next(1, func(rw http.ResponseWriter, r *http.Request, next http.HandlerFunc) {
			<-release
			odd.OAuthError(400, "invalid_grant")(rw, r, next) // as for a spent token, without a family's end
		}))
		var here renewal.Token
		var err error
		var done sync.WaitGroup
		done.Go(func() { here, err = w.renewer.AccessToken(context.Background(), s) })
		synctest.Wait()
		there, otherErr := other.AccessToken(context.Background(), s)
		if otherErr != nil {
			t.Fatalf("token of the other replica: %v", otherErr)
		}
		close(release)
		done.Wait()
		if err != nil || here.AccessToken != there.AccessToken {
			t.Errorf("token here = %v, %v; want the other replica's", here, err)
		}
		w.wantOutcome("superseded")
		if err := other.Close(context.Background()); err != nil {
			t.Error(err)
		}
	})
}

// TestBothReplicasWereAnswered, after a lease that ran out: the first commit wins, and the loser
// uses the winner's tokens.
func TestBothReplicasWereAnswered(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		s := w.login()
		other := w.replica()
		w.store.Lapse()
		w.op.SetRotation(false)
		time.Sleep(6 * time.Minute)
		release := make(chan struct{})
		w.op.Intercept(odd.Token, odd.Next(1, odd.Hang(release)))
		var here renewal.Token
		var err error
		var done sync.WaitGroup
		done.Go(func() { here, err = w.renewer.AccessToken(context.Background(), s) })
		synctest.Wait()
		there, otherErr := other.AccessToken(context.Background(), s)
		close(release)
		done.Wait()
		if err != nil || otherErr != nil || here.AccessToken != there.AccessToken {
			t.Errorf("tokens = %v, %v and %v, %v; want the same", here, err, there, otherErr)
		}
		if n := w.get(s.Name).Record.Renewals; n != 1 {
			t.Errorf("renewals committed = %d, want 1", n)
		}
		if n := len(w.outbox()); n != 0 {
			t.Errorf("items in the outbox = %d, want 0: revoking the loser's tokens would end the grant", n)
		}
		if err := other.Close(context.Background()); err != nil {
			t.Error(err)
		}
	})
}

// replica is a second process over the same store.
func (w *world) replica() *renewal.Renewer {
	w.t.Helper()
	sessions, err := session.NewManager(session.Options{
		Store: w.store.Parts(), Keys: keys.NewRing(keys.Key{1}), Lifetime: 12 * time.Hour,
		Site: sitetest.New(w.t, "http://localhost", site.Options{}), Logger: quiet,
	})
	if err != nil {
		w.t.Fatalf("new manager: %v", err)
	}
	w.t.Cleanup(sessions.Close)
	return renewal.New(renewal.Options{Providers: w.providers, Sessions: sessions, Leases: w.store, Logger: quiet})
}
