package provider_test

import (
	"encoding/base64"
	"encoding/json"
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

// BC2–BC8: OIDC Back-Channel Logout §2.6, one thing wrong at a time.
func TestLogoutTokenIsChecked(t *testing.T) {
	op := odd.New(t)
	p := newProvider(t, op)
	set := func(name string, value any) func(h, c odd.Claims) {
		return func(_, c odd.Claims) { c[name] = value }
	}
	drop := func(name string) func(h, c odd.Claims) { return func(_, c odd.Claims) { delete(c, name) } }
	typ := func(typ any) func(h, c odd.Claims) { return func(h, _ odd.Claims) { h["typ"] = typ } }
	for _, test := range []struct {
		name, rule string
		alter      func(h, c odd.Claims)
	}{
		{"as it should be", "", func(_, _ odd.Claims) {}},
		{"BC2 ES256 by a published key", "alg", func(h, _ odd.Claims) { h["alg"], h["kid"] = "ES256", "ec-1" }},
		{"BC2 none", "alg", func(h, _ odd.Claims) { h["alg"] = "none" }},
		{"BC2 HS256", "alg", func(h, _ odd.Claims) { h["alg"] = "HS256" }},
		{"BC3 other issuer", "iss", set("iss", "https://other.example.com")},
		{"BC3 no issuer", "iss", drop("iss")},
		{"BC3 other audience", "aud", set("aud", "other")},
		{"BC3 further audience", "aud", set("aud", []string{"cloakroom", "other"})},
		{"BC3 no audience", "aud", drop("aud")},
		{"BC3 no iat", "iat", drop("iat")},
		{"BC3 iat ahead", "iat", set("iat", now()+3600)},
		{"BC3 iat old", "iat", set("iat", now()-3600)},
		{"BC3 no exp", "exp", drop("exp")},
		{"BC3 exp past", "exp", set("exp", now()-120)},
		{"BC3 exp a string", "exp", set("exp", "tomorrow")},
		{"BC4 neither sub nor sid", "sub", drop("sub")},
		{"BC4 both empty", "sub", func(_, c odd.Claims) { c["sub"], c["sid"] = "", "" }},
		{"BC4 both null", "sub", func(_, c odd.Claims) { c["sub"], c["sid"] = nil, nil }},
		{"BC4 sid alone", "", func(_, c odd.Claims) { delete(c, "sub"); c["sid"] = "s" }},
		{"BC4 both", "", set("sid", "s")},
		{"BC4 sid a number", "sid", set("sid", 7)},
		{"BC4 sid too long", "sid", set("sid", strings.Repeat("s", 256))},
		{"BC5 no events", "events", drop("events")},
		{"BC5 events an array", "events", set("events", []string{logoutEvent})},
		{"BC5 events a string", "events", set("events", logoutEvent)},
		{"BC5 another event", "events", set("events", odd.Claims{"https://example.com/event": odd.Claims{}})},
		{"BC5 member null", "events", set("events", odd.Claims{logoutEvent: nil})},
		{"BC5 member true", "events", set("events", odd.Claims{logoutEvent: true})},
		{"BC5 two events", "", set("events", odd.Claims{logoutEvent: odd.Claims{}, "https://example.com/event": odd.Claims{}})},
		{"BC5 member with content", "", set("events", odd.Claims{logoutEvent: odd.Claims{"x": 1}})},
		{"BC6 nonce", "nonce", set("nonce", nonce)},
		{"BC6 empty nonce", "nonce", set("nonce", "")},
		{"BC6 null nonce", "nonce", set("nonce", nil)},
		{"BC7 no typ", "", func(h, _ odd.Claims) { delete(h, "typ") }},
		{"BC7 typ JWT", "", typ("JWT")},
		{"BC7 typ with its prefix", "", typ("application/logout+jwt")},
		{"BC7 at+jwt", "typ", typ("at+jwt")},
		{"BC7 dpop+jwt", "typ", typ("dpop+jwt")},
		{"BC7 typ a number", "typ", typ(7)},
		{"BC8 no jti", "jti", drop("jti")},
		{"BC8 empty jti", "jti", set("jti", "")},
		{"BC8 jti too long", "jti", set("jti", strings.Repeat("j", 4096))},
	} {
		t.Run(test.name, func(t *testing.T) {
			raw := op.LogoutToken(func(h, c odd.Claims) { c["sub"] = "alice"; test.alter(h, c) })
			got, err := p.Verifier().LogoutToken(t.Context(), "", raw)
			var invalid *jose.InvalidLogoutTokenError
			switch {
			case test.rule == "" && (err != nil || got.JTI == "" || got.Subject == "" && got.SID == "" || got.Expiry.IsZero() || got.IssuedAt.IsZero()):
				t.Errorf("token = %+v, %v", got, err)
			case test.rule != "" && (!errors.As(err, &invalid) || invalid.Rule != test.rule):
				t.Errorf("error = %v, want rule %q", err, test.rule)
			}
		})
	}
}

// BC3: an operator can let a provider leave exp out, and iat bounds the token then. An exp that is
// there still counts.
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

// BC7: an ID token of this client, and an access token with the same claims, end nothing.
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

// BC3: one provider's token at another's path.
func TestLogoutTokenOfAnotherProviderIsRefused(t *testing.T) {
	op, other := odd.New(t), odd.New(t)
	raw := other.LogoutToken(func(_, c odd.Claims) { c["sub"] = "alice" })
	var invalid *jose.InvalidLogoutTokenError
	if _, err := newProvider(t, op).Verifier().LogoutToken(t.Context(), "", raw); !errors.As(err, &invalid) || invalid.Rule != "iss" {
		t.Errorf("error = %v, want rule iss", err)
	}
}

// BC13: what is wrong to the naked eye costs no request, not even for metadata.
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

// BC12: a provider that can't be asked for its keys is no reason to call the token bad.
func TestUnreachableKeysAreNotAnInvalidLogoutToken(t *testing.T) {
	op := odd.New(t)
	p := newProvider(t, op)
	op.SetDown()
	if _, err := p.Verifier().LogoutToken(t.Context(), "", op.LogoutToken(func(_, c odd.Claims) { c["sub"] = "alice" })); !errors.Is(err, provider.ErrUnreachable) {
		t.Errorf("error = %v, want unreachable", err)
	}
}

// FuzzLogoutToken: a stranger's bytes neither panic nor pass. What passes was signed by the provider,
// and says all that it must.
func FuzzLogoutToken(f *testing.F) {
	op := odd.New(f)
	key := op.Key("rsa-1", "")
	p, err := provider.New(provider.Config{ID: "main", Issuer: op.Issuer(), ClientID: "cloakroom", ClientAuth: "none"}, provider.Options{})
	if err != nil {
		f.Fatal(err)
	}
	good, err := json.Marshal(logoutClaims(op))
	if err != nil {
		f.Fatal(err)
	}
	header := `{"alg":"RS256","kid":"rsa-1","typ":"logout+jwt"}`
	f.Add(header, string(good), true)
	f.Add(header, string(good), false)
	f.Add(header, `{"iss":"`+op.Issuer()+`","aud":["cloakroom"],"events":{"`+logoutEvent+`":{}},"nonce":null}`, true)
	f.Add(`{"alg":"none"}`, `{}`, false)
	f.Add(`[]`, `null`, true)
	f.Add(`{"alg":"RS256","alg":"RS256"}`, strings.Repeat("[", 100), true)
	f.Fuzz(func(t *testing.T, header, payload string, signed bool) {
		raw := odd.SignRaw(key, "RS256", []byte(header), []byte(payload))
		if !signed {
			raw = raw[:strings.LastIndex(raw, ".")+1] + base64.RawURLEncoding.EncodeToString([]byte(payload))
		}
		got, err := p.Verifier().LogoutToken(t.Context(), "", raw)
		if err != nil {
			return
		}
		if !signed || got.JTI == "" || got.Subject == "" && got.SID == "" || got.Issuer != op.Issuer() || got.Expiry.Before(time.Now().Add(-2*time.Minute)) {
			t.Errorf("passed: %+v from %q.%q, signed %v", got, header, payload, signed)
		}
	})
}
