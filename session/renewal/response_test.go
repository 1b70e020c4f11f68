package renewal_test

import (
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"testing"
	"time"

	"github.com/cloakroom/cloakroom/provider"
	"github.com/cloakroom/cloakroom/session"
	"github.com/cloakroom/cloakroom/session/renewal"
	"github.com/cloakroom/cloakroom/test/providers/odd"
)

// TestWhatAnAnswerLeavesOutStays (RN3, TE4): refresh token, scope, expires_in.
func TestWhatAnAnswerLeavesOutStays(t *testing.T) {
	for _, c := range []struct {
		name   string
		change func(answer odd.Claims)
		check  func(t *testing.T, old, renewed *session.Record)
	}{
		{"no refresh token", func(a odd.Claims) { delete(a, "refresh_token") }, wantRefreshTokenKept},
		{"empty refresh token", func(a odd.Claims) { a["refresh_token"] = "" }, wantRefreshTokenKept},
		{"new refresh token", func(odd.Claims) {}, func(t *testing.T, old, renewed *session.Record) {
			if renewed.RefreshToken == old.RefreshToken {
				t.Error("the new refresh token was not kept")
			}
		}},
		{"no scope", func(a odd.Claims) { delete(a, "scope") }, func(t *testing.T, old, renewed *session.Record) {
			if renewed.Scope != old.Scope {
				t.Errorf("scope = %q, want %q", renewed.Scope, old.Scope)
			}
		}},
		{"narrower scope", func(a odd.Claims) { a["scope"] = "openid" }, func(t *testing.T, _, renewed *session.Record) {
			if renewed.Scope != "openid" {
				t.Errorf("scope = %q, want openid", renewed.Scope)
			}
		}},
		{"no expires_in", func(a odd.Claims) { delete(a, "expires_in") }, func(t *testing.T, _, renewed *session.Record) {
			if life := renewed.AccessTokenExpires.Sub(renewed.AccessTokenObtained); life != provider.DefaultExpiresIn {
				t.Errorf("life = %v, want %v", life, provider.DefaultExpiresIn)
			}
		}},
		{"no ID token", func(a odd.Claims) { delete(a, "id_token") }, func(t *testing.T, old, renewed *session.Record) {
			if renewed.IDToken != old.IDToken {
				t.Error("the old ID token was not kept for the logout")
			}
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			inWorld(t, func(t *testing.T, w *world) {
				w.op.SetRotation(c.name == "new refresh token")
				s := w.login()
				w.op.OnToken(func(_ url.Values, answer odd.Claims) { c.change(answer) })
				time.Sleep(6 * time.Minute)
				w.mustToken(s)
				c.check(t, s.Record, w.get(s.Name).Record)
				time.Sleep(6 * time.Minute)
				w.mustToken(s)
				w.wantRenewals(2)
			})
		})
	}
}

func wantRefreshTokenKept(t *testing.T, old, renewed *session.Record) {
	t.Helper()
	if renewed.RefreshToken != old.RefreshToken {
		t.Error("the old refresh token was not kept")
	}
}

// TestRenewalLoopIsBoundedForNonsenseExpiry (TE4): no immortal token, no renewal per request.
func TestRenewalLoopIsBoundedForNonsenseExpiry(t *testing.T) {
	for _, expiresIn := range []any{"3600", 0, -5, 1e18, 0.5, "soon"} {
		inWorld(t, func(t *testing.T, w *world) {
			w.op.OnToken(func(_ url.Values, answer odd.Claims) { answer["expires_in"] = expiresIn })
			s := w.login()
			for range 100 {
				w.mustToken(s)
				time.Sleep(100 * time.Millisecond)
			}
			if n := len(w.op.Grants("refresh_token")); n > 13 {
				t.Errorf("renewals in ten seconds with expires_in %v = %d, want at most one in 0.7 s", expiresIn, n)
			}
		})
	}
}

// TestIDTokenThatIsNotTheFirstOnesLikeEndsTheSession (RN6, RN7): the whole answer is unused, and
// what was issued waits to be revoked, the session's own tokens too.
func TestIDTokenThatIsNotTheFirstOnesLikeEndsTheSession(t *testing.T) {
	for name, change := range map[string]func(c odd.Claims){
		"other iss":       func(c odd.Claims) { c["iss"] = "https://elsewhere.example" },
		"other sub":       func(c odd.Claims) { c["sub"] = "mallory" },
		"other aud":       func(c odd.Claims) { c["aud"] = "another-client" },
		"further aud":     func(c odd.Claims) { c["aud"] = []string{"cloakroom", "another-client"} },
		"old iat":         func(c odd.Claims) { c["iat"] = time.Now().Add(-24 * time.Hour).Unix() },
		"other auth_time": func(c odd.Claims) { c["auth_time"] = time.Now().Unix() },
		"other azp":       func(c odd.Claims) { c["azp"] = "another-client" },
		"other nonce":     func(c odd.Claims) { c["nonce"] = "another" },
		"other at_hash":   func(c odd.Claims) { c["at_hash"] = "AAAAAAAAAAAAAAAAAAAAAA" },
	} {
		t.Run(name, func(t *testing.T) {
			inWorld(t, func(t *testing.T, w *world) {
				s := w.login()
				w.op.OnClaims(func(_ string, c odd.Claims) { change(c) })
				time.Sleep(6 * time.Minute)
				token, err := w.token(s)
				if !errors.Is(err, renewal.ErrRefused) || !token.AccessToken.IsZero() {
					t.Errorf("token = %v, %v; want none and %v", token, err, renewal.ErrRefused)
				}
				w.wantGone(s)
				w.wantRenewals(1)
				w.wantOutcome("invalid_response")
				if n := w.op.Count(odd.Userinfo); n != 0 {
					t.Errorf("userinfo requests = %d, want 0", n)
				}
				old, issued := false, false
				for _, rec := range w.outbox() {
					old = old || rec.RefreshToken == s.Record.RefreshToken
					issued = issued || rec.RefreshToken.Equal(w.lastGrant().Issued) && rec.AccessToken.Equal(w.lastGrant().AccessToken)
				}
				if !old || !issued {
					t.Errorf("in the outbox: the session's tokens %v, the new ones %v; want both", old, issued)
				}
			})
		})
	}
}

// TestIDTokenThatMayDifferIsAccepted (RN6): nonce absent or the first one's, azp this client, no
// auth_time; and the same again at the second renewal, when the ID token at hand is a renewed one.
func TestIDTokenThatMayDifferIsAccepted(t *testing.T) {
	for name, change := range map[string]func(c odd.Claims){
		"no nonce":     func(c odd.Claims) { delete(c, "nonce") },
		"same nonce":   func(c odd.Claims) { c["nonce"] = "the-nonce-of-the-login" },
		"azp":          func(c odd.Claims) { c["azp"] = "cloakroom" },
		"no auth_time": func(c odd.Claims) { delete(c, "auth_time") },
		"aud as array": func(c odd.Claims) { c["aud"] = []string{"cloakroom"} },
	} {
		t.Run(name, func(t *testing.T) {
			inWorld(t, func(t *testing.T, w *world) {
				s := w.login()
				time.Sleep(6 * time.Minute)
				w.mustToken(s) // without a nonce
				w.op.OnClaims(func(_ string, c odd.Claims) { change(c) })
				for range 2 {
					time.Sleep(6 * time.Minute)
					w.mustToken(s)
				}
				w.wantRenewals(3)
			})
		})
	}
}

// TestClaimsOfTheLoginStayThroughRenewals (RN8): acr, amr and auth_time are the login's, roles are
// taken from the renewed ID token, userinfo's claims stay, and a new sid is the one that the
// session is found by.
func TestClaimsOfTheLoginStayThroughRenewals(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		w.op.OnClaims(func(grant string, c odd.Claims) {
			c["acr"], c["roles"] = "low", []string{"reader"}
			if grant == "refresh_token" {
				c["acr"], c["roles"], c["sid"] = "high", []string{"writer"}, "sid-renewed"
				delete(c, "email")
			}
		})
		s := w.login()
		time.Sleep(6 * time.Minute)
		w.mustToken(s)
		rec := w.get(s.Name).Record
		var claims struct {
			ACR, Email, Nonce string
			Roles             []string
		}
		if err := json.Unmarshal(rec.Claims, &claims); err != nil {
			t.Fatalf("claims: %v", err)
		}
		if claims.ACR != "low" || claims.Nonce != "the-nonce-of-the-login" {
			t.Errorf("acr, nonce = %q, %q; want the login's", claims.ACR, claims.Nonce)
		}
		if len(claims.Roles) != 1 || claims.Roles[0] != "writer" || claims.Email != "alice@example.com" {
			t.Errorf("roles, email = %q, %q; want the renewed and the old", claims.Roles, claims.Email)
		}
		if found, err := w.sessions.OfSID(t.Context(), "main", w.op.Issuer(), "sid-renewed"); err != nil || len(found) != 1 {
			t.Errorf("sessions found by the new sid = %d, %v; want 1", len(found), err)
		}
	})
}

// TestRenewedSessionExpiryOnlyShortens: the session_expiry claim of a renewed ID token brings the
// session's end forward; one that is later, or makes no sense, leaves it where it is.
func TestRenewedSessionExpiryOnlyShortens(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		s := w.login()
		end := s.Record.ExpiresAt
		sooner := time.Now().Add(time.Hour).Truncate(time.Second)
		for _, step := range []struct {
			claim any
			want  time.Time
		}{{end.Add(time.Hour).Unix(), end}, {"soon", end}, {-1, end}, {sooner.Unix(), sooner}, {end.Unix(), sooner}} {
			w.op.OnClaims(func(_ string, c odd.Claims) { c["session_expiry"] = step.claim })
			time.Sleep(6 * time.Minute)
			w.mustToken(s)
			if got := w.get(s.Name).Record.ExpiresAt; !got.Equal(step.want) {
				t.Errorf("after session_expiry %v the session ends at %v, want %v", step.claim, got, step.want)
			}
		}
		w.wantRenewals(5)
		time.Sleep(time.Until(sooner))
		if _, err := w.sessions.Get(t.Context(), s.Name); !errors.Is(err, session.ErrSessionExpired) {
			t.Errorf("after its end the session is %v, want ErrSessionExpired", err)
		}
	})
}

// TestIDTokenThatCanNotBeCheckedNow: the keys can't be fetched. The access token is not used, but
// the refresh token that came with it is kept, since the old one is spent.
func TestIDTokenThatCanNotBeCheckedNow(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		s := w.login()
		time.Sleep(6 * time.Minute)
		w.op.Rotate()
		undo := w.op.Intercept(odd.JWKS, odd.Answer(http.StatusServiceUnavailable, "text/plain", ""))
		if _, err := w.token(s); !errors.Is(err, provider.ErrUnreachable) {
			t.Errorf("token = %v, want %v", err, provider.ErrUnreachable)
		}
		time.Sleep(time.Second)
		rec := w.get(s.Name).Record
		if !rec.RefreshToken.Equal(w.lastGrant().Issued) || rec.AccessToken != s.Record.AccessToken {
			t.Error("want the new refresh token beside the old access token")
		}
		undo()
		time.Sleep(5 * time.Minute)
		w.mustToken(s)
		w.wantRenewals(2)
	})
}
