package provider_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/cloakroom/cloakroom/provider"
	"github.com/cloakroom/cloakroom/provider/jose"
	"github.com/cloakroom/cloakroom/test/providers/odd"
)

func now() int64 { return time.Now().Unix() }

// checkRule logs in and checks which rule the ID token broke; "" means none.
func checkRule(t *testing.T, p *provider.Provider, op *odd.Provider, rule string, changes ...func(*jose.Attempt)) {
	t.Helper()
	_, err := logIn(t, p, op, changes...)
	var invalid *jose.InvalidTokenError
	switch {
	case rule == "" && err != nil:
		t.Errorf("login = %v, want none", err)
	case rule != "" && !errors.As(err, &invalid):
		t.Errorf("login = %v, want rule %q", err, rule)
	case rule != "" && invalid.Rule != rule:
		t.Errorf("login = %v, want rule %q", err, rule)
	}
	// ID10: no userinfo is requested unless the caller does so.
	if n := op.Count(odd.Userinfo); n != 0 {
		t.Errorf("userinfo requests = %d, want 0", n)
	}
}

// ID5, ID11: every supported algorithm verifies, with its own hash in at_hash.
func TestEachAlgorithmVerifiesAndHashesItsOwnWay(t *testing.T) {
	for _, alg := range []string{
		"RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA",
		"HS256", "HS384", "HS512",
	} {
		t.Run(alg, func(t *testing.T) {
			op := odd.New(t, odd.WithClient(odd.Client{
				ID: "cloakroom", Secret: strings.Repeat("secret", 12), Auth: "client_secret_basic", Alg: alg,
			}))
			if alg[:2] != "HS" {
				op.SetKeys(odd.NewKey("k", alg))
			}
			p := newProvider(t, op)
			checkRule(t, p, op, "")
			op.OnClaims(func(_ string, c odd.Claims) { c["at_hash"] = odd.HalfHash(alg, "other") })
			checkRule(t, p, op, "at_hash")
			if alg[:2] != "HS" && op.Count(odd.JWKS) != 1 {
				t.Errorf("key fetches = %d, want 1", op.Count(odd.JWKS))
			}
		})
	}
}

// ID12: an operator's max_age is checked like a caller's.
func TestConfiguredMaxAgeIsChecked(t *testing.T) {
	op := odd.New(t)
	p := newProvider(t, op, func(s *setup) { s.AuthParams = map[string]string{"max_age": "60"} })
	op.OnClaims(func(_ string, c odd.Claims) { c["auth_time"] = now() - 3600 })
	checkRule(t, p, op, "auth_time")
}

// RN9: a failure to fetch the keys says nothing about the token.
func TestUnreachableKeysAreNotAnInvalidToken(t *testing.T) {
	op := odd.New(t)
	p := newProvider(t, op)
	got := tokens(t, p, op)
	op.Intercept(odd.JWKS, odd.Next(1, odd.Answer(503, "text/plain", "", "Retry-After", "7")))
	_, err := p.Verifier().IDToken(t.Context(), got.IDToken, jose.Attempt{Nonce: nonce})
	var u *provider.UnreachableError
	if !errors.As(err, &u) || u.Endpoint != "keys" || u.RetryAfter != 7*time.Second {
		t.Errorf("error = %v", err)
	}
}

// ID2: an audience is trusted if the operator has named it.
func TestConfiguredAudiencesAreTrusted(t *testing.T) {
	op := odd.New(t)
	op.OnClaims(func(_ string, c odd.Claims) { c["aud"] = []string{op.Client.ID, "trusted"} })
	checkRule(t, newProvider(t, op), op, "aud")
	checkRule(t, newProvider(t, op, func(s *setup) { s.TrustedAudiences = []string{"trusted"} }), op, "")
}

// OIDC Core §12.2: the ID token of a renewal, and the access token that came with it.
func TestIDTokenOfARenewalIsVerified(t *testing.T) {
	op := odd.New(t)
	p := newProvider(t, op)
	login := tokens(t, p, op)
	first, err := p.Verifier().IDToken(t.Context(), login.IDToken, jose.Attempt{Nonce: nonce, AccessToken: login.AccessToken})
	if err != nil {
		t.Fatal(err)
	}
	refreshToken := login.RefreshToken
	for _, rule := range []string{"", "sub", ""} {
		op.OnClaims(func(_ string, c odd.Claims) {
			if rule != "" {
				c[rule] = "another"
			}
		})
		got, err := p.Refresh(t.Context(), refreshToken, nil)
		if err != nil {
			t.Fatal(err)
		}
		refreshToken = got.RefreshToken
		_, err = p.Verifier().RenewedIDToken(t.Context(), got.IDToken, &jose.Original{
			Subject: first.Subject, Issuer: first.Issuer, AuthTime: first.AuthTime, Nonce: first.Nonce,
			Audience: first.Audience, AccessToken: got.AccessToken,
		})
		var invalid *jose.InvalidTokenError
		if rule == "" && err != nil || rule != "" && (!errors.As(err, &invalid) || invalid.Rule != rule) {
			t.Errorf("renewal = %v, want rule %q", err, rule)
		}
	}
	if n := len(op.ReusedRefreshTokens()); n != 0 {
		t.Errorf("reused refresh tokens = %d, want 0", n)
	}
}
