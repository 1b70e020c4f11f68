package renewal_test

import (
	"context"
	"errors"
	"net/url"
	"sync"
	"testing"
	"time"

	"github.com/cloakroom/cloakroom/provider"
	"github.com/cloakroom/cloakroom/session/renewal"
	"github.com/cloakroom/cloakroom/test/providers/odd"
)

// TestTenRequestsRejectedWithTheSameTokenAreOneRenewal (RN10), whether they ask at once or one
// after the other.
func TestTenRequestsRejectedWithTheSameTokenAreOneRenewal(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		s := w.login()
		w.op.Intercept(odd.Token, odd.Delay(100*time.Millisecond))
		var all sync.WaitGroup
		for i := range 10 {
			all.Go(func() {
				time.Sleep(time.Duration(i/2) * 50 * time.Millisecond)
				token, err := w.renewer.AfterRejection(context.Background(), s, s.Record.AccessToken)
				if err != nil || token.AccessToken == s.Record.AccessToken {
					t.Errorf("request %d: token = %v, %v; want another", i, token, err)
				}
			})
		}
		all.Wait()
		w.wantRenewals(1)
	})
}

// TestAPIThatRejectsEveryTokenIsBoundedOverTime (RN10).
func TestAPIThatRejectsEveryTokenIsBoundedOverTime(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		s := w.login()
		refused := 0
		for range 600 { // ten requests a second for a minute
			token := w.mustToken(s)
			_, err := w.renewer.AfterRejection(
				context.Background(), token.Session, token.AccessToken)
			if errors.Is(err, renewal.ErrNotRenewed) {
				refused++
			} else if err != nil {
				t.Fatalf("after the rejection: %v", err)
			}
			time.Sleep(100 * time.Millisecond)
		}
		w.wantRenewals(2)
		if refused != 598 {
			t.Errorf("rejections passed on = %d, want 598", refused)
		}
	})
}

// TestRejectionOfASessionThatCanNotBeRenewed passes the upstream's answer on.
func TestRejectionOfASessionThatCanNotBeRenewed(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		w.op.SetRefreshTokens(false)
		s := w.login()
		if _, err := w.renewer.AfterRejection(context.Background(), s, s.Record.AccessToken); !errors.Is(err, renewal.ErrNotRenewed) {
			t.Errorf("without a refresh token = %v, want %v", err, renewal.ErrNotRenewed)
		}
	})
}

// TestRejectionWhileTheProviderIsDown leaves the session and its token as they were.
func TestRejectionWhileTheProviderIsDown(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		s := w.login()
		w.op.Intercept(odd.Token, odd.Answer(503, "text/plain", ""))
		if _, err := w.renewer.AfterRejection(context.Background(), s, s.Record.AccessToken); !errors.Is(err, provider.ErrUnreachable) {
			t.Errorf("after the rejection = %v, want %v", err, provider.ErrUnreachable)
		}
		if token := w.mustToken(s); token.AccessToken != s.Record.AccessToken {
			t.Error("the old token is not used any more")
		}
	})
}

// TestProviderThatGivesTheSameAccessTokenAgain: the 401 is passed on after one renewal.
func TestProviderThatGivesTheSameAccessTokenAgain(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		s := w.login()
		w.op.OnToken(func(_ url.Values, answer odd.Claims) {
			answer["access_token"] = s.Record.AccessToken.Reveal()
			delete(answer, "id_token")
		})
		for range 3 {
			if _, err := w.renewer.AfterRejection(context.Background(), s, s.Record.AccessToken); !errors.Is(err, renewal.ErrNotRenewed) {
				t.Errorf("after the rejection = %v, want %v", err, renewal.ErrNotRenewed)
			}
		}
		w.wantRenewals(1)
		if got := w.get(s.Name).Record; !got.RefreshToken.Equal(w.lastGrant().Issued) {
			t.Error("the new refresh token was not kept")
		}
	})
}
