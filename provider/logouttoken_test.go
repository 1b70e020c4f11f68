package provider_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/cloakroom/cloakroom/provider"
	"github.com/cloakroom/cloakroom/provider/jose"
	"github.com/cloakroom/cloakroom/secret"
	"github.com/cloakroom/cloakroom/test/providers/odd"
)

const logoutEvent = "http://schemas.openid.net/event/backchannel-logout"

func logoutClaims(op *odd.Provider) odd.Claims {
	return odd.Claims{
		"iss": op.Issuer(), "aud": op.Client.ID, "iat": now(), "exp": now() + 120, "jti": "j", "sub": "alice",
		"events": odd.Claims{logoutEvent: odd.Claims{}},
	}
}

// BC3: an operator can accept logout tokens without exp; iat then limits them. If there is an exp,
// it still counts.
func TestLogoutTokenWithoutExpIsBoundedByItsIat(t *testing.T) {
	op, c := odd.New(t), &clock{}
	p := newProvider(t, op, func(s *setup) { s.Now, s.LogoutTokenExp = c.now, "iat" })
	started := c.now().Truncate(time.Second)
	for _, test := range []struct {
		name, rule string
		alter      func(c odd.Claims)
	}{
		{"fresh", "", func(odd.Claims) {}},
		{"null", "format", func(c odd.Claims) { c["exp"] = nil }},
		{"119 s old", "", func(c odd.Claims) { c["iat"] = started.Unix() - 119 }},
		{"121 s old", "iat", func(c odd.Claims) { c["iat"] = started.Unix() - 121 }},
		{"no iat", "iat", func(c odd.Claims) { delete(c, "iat") }},
		{"iat ahead", "iat", func(c odd.Claims) { c["iat"] = started.Unix() + 3600 }},
		{"nbf ahead", "nbf", func(c odd.Claims) { c["nbf"] = started.Unix() + 3600 }},
		{"exp past", "exp", func(c odd.Claims) { c["exp"] = started.Unix() - 120 }},
		{"exp later", "", func(c odd.Claims) { c["exp"], c["iat"] = started.Unix()+60, started.Unix()-300 }},
		{"exp a string", "exp", func(c odd.Claims) { c["exp"] = "tomorrow" }},
		{"no jti", "jti", func(c odd.Claims) { delete(c, "jti") }},
	} {
		raw := op.LogoutToken(func(_, c odd.Claims) { c["sub"], c["iat"] = "alice", started.Unix(); delete(c, "exp"); test.alter(c) })
		got, err := p.Verifier().LogoutToken(t.Context(), "", raw)
		var invalid *jose.InvalidLogoutTokenError
		switch {
		case test.rule == "" && (err != nil || test.name != "exp later" && got.Expiry != got.IssuedAt.Add(2*time.Minute)):
			t.Errorf("%s: token = %+v, %v", test.name, got, err)
		case test.rule != "" && (!errors.As(err, &invalid) || invalid.Rule != test.rule || invalid.Remedy == ""):
			t.Errorf("%s: error = %v, want rule %q", test.name, err, test.rule)
		}
	}
	op.OnClaims(func(_ string, c odd.Claims) { delete(c, "exp") })
	checkRule(t, p, op, "exp") // of an ID token it is never left out
}

// BC7: an ID token of this client, or an access token with the same claims, ends no session.
func TestIDTokenIsNoLogoutToken(t *testing.T) {
	op := odd.New(t)
	p := newProvider(t, op)
	for _, raw := range []secret.Value{tokens(t, p, op).IDToken, tokens(t, p, op).AccessToken} {
		var invalid *jose.InvalidLogoutTokenError
		if _, err := p.Verifier().LogoutToken(t.Context(), "", raw.Reveal()); !errors.As(err, &invalid) {
			t.Errorf("error = %v, want it refused", err)
		}
	}
}

// BC3: a logout token sent to the path of another provider is refused.
func TestLogoutTokenOfAnotherProviderIsRefused(t *testing.T) {
	op, other := odd.New(t), odd.New(t)
	raw := other.LogoutToken(func(_, c odd.Claims) { c["sub"] = "alice" })
	var invalid *jose.InvalidLogoutTokenError
	if _, err := newProvider(t, op).Verifier().LogoutToken(t.Context(), "", raw); !errors.As(err, &invalid) || invalid.Rule != "iss" {
		t.Errorf("error = %v, want rule iss", err)
	}
}

// BC13: a token that is wrong in form causes no request, not even for metadata.
func TestForgedShapeCostsNoFetch(t *testing.T) {
	op := odd.New(t)
	p := newProvider(t, op)
	claims := logoutClaims(op)
	key := odd.NewKey("x", "RS256")
	wrongAud, wrongIss := logoutClaims(op), logoutClaims(op)
	wrongAud["aud"], wrongIss["iss"] = "other", "https://evil.example.com"
	for _, raw := range []string{
		"", ".", "..", "a.b.c", strings.Repeat("a", 1<<20), "\x00\xff", "{}",
		odd.Sign(nil, odd.Claims{"alg": "none"}, claims),
		odd.Sign(&odd.Key{Secret: []byte("x")}, odd.Claims{"alg": "HS256"}, claims),
		odd.Sign(key, odd.Claims{"alg": "RS256"}, wrongAud),
		odd.Sign(key, odd.Claims{"alg": "RS256"}, wrongIss),
		odd.Sign(key, odd.Claims{"alg": "RS256", "typ": "at+jwt"}, claims),
	} {
		var invalid *jose.InvalidLogoutTokenError
		if _, err := p.Verifier().LogoutToken(t.Context(), "", raw); !errors.As(err, &invalid) {
			t.Errorf("%.40q: error = %v, want it refused", raw, err)
		}
	}
	if n := op.Count(""); n != 0 {
		t.Errorf("requests = %d, want 0", n)
	}
}

// BC12: if the provider's keys can't be fetched, the token is not called invalid.
func TestUnreachableKeysAreNotAnInvalidLogoutToken(t *testing.T) {
	op := odd.New(t)
	p := newProvider(t, op)
	op.SetDown()
	raw := op.LogoutToken(func(_, c odd.Claims) { c["sub"] = "alice" })
	_, err := p.Verifier().LogoutToken(t.Context(), "", raw)
	if !errors.Is(err, provider.ErrUnreachable) {
		t.Errorf("error = %v, want unreachable", err)
	}
}
