package renewal_test

import (
	"context"
	"net/url"
	"testing"
	"time"

	"github.com/cloakroom/cloakroom/test/providers/odd"
)

// TestRenewalNeverGoesBeyondTheScopeOfTheLogin: what was granted at login is the ceiling, whether
// time or a rejected token is the reason for the renewal. What is narrower counts, and may grow
// again.
func TestRenewalNeverGoesBeyondTheScopeOfTheLogin(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		login := "openid profile offline_access"
		answered := login
		w.op.OnToken(func(_ url.Values, answer odd.Claims) { answer["scope"] = answered })
		s := w.login()
		for _, step := range []struct{ answered, want string }{
			{"openid profile offline_access admin", login},
			{"admin root", ""},
			{"openid", "openid"},
			{"  profile openid profile\tadmin ", "profile openid"},
			{"Openid PROFILE", ""},
			{"offline_access profile openid", login},
			{"openid profile offline_access openid2", login},
		} {
			answered = step.answered
			time.Sleep(6 * time.Minute)
			w.mustToken(s)
			if got := w.get(s.Name).Record.Scope; got != step.want {
				t.Errorf("scope after a renewal that says %q = %q, want %q", step.answered, got, step.want)
			}
		}
		answered = login + " admin"
		time.Sleep(time.Minute)
		now := w.get(s.Name)
		token, err := w.renewer.AfterRejection(context.Background(), now, now.Record.AccessToken)
		if err != nil || token.Session.Record.Scope != login {
			t.Errorf("scope after a rejection = %q %v, want %q", token.Session.Record.Scope, err, login)
		}
	})
}

// TestSessionsOfAnEarlierBuildHaveTheirScopeAsCeiling: their records say nothing of the login's
// grant.
func TestSessionsOfAnEarlierBuildHaveTheirScopeAsCeiling(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		answered := "openid"
		w.op.OnToken(func(_ url.Values, answer odd.Claims) { answer["scope"] = answered })
		s := w.login()
		if s.Record.Granted != "" {
			t.Fatalf("granted = %q, want what an earlier build wrote: nothing", s.Record.Granted)
		}
		answered = "openid profile"
		time.Sleep(6 * time.Minute)
		w.mustToken(s)
		if got := w.get(s.Name).Record.Scope; got != "openid" {
			t.Errorf("scope = %q, want openid", got)
		}
	})
}
