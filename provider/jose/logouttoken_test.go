package jose_test

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/cloakroom/cloakroom/provider/jose"
	"github.com/cloakroom/cloakroom/test/providers/odd"
)

const logoutEvent = "http://schemas.openid.net/event/backchannel-logout"

func logoutClaims() odd.Claims {
	return odd.Claims{
		"iss": issuer, "aud": client, "iat": now(), "exp": now() + 120, "jti": "j", "sub": "alice",
		"events": odd.Claims{logoutEvent: odd.Claims{}},
	}
}

// BC2–BC8: OIDC Back-Channel Logout §2.6, one thing wrong at a time.
func TestLogoutTokenIsChecked(t *testing.T) {
	key := odd.NewKey("rsa-1", "RS256")
	ecKey := odd.NewKey("ec-1", "ES256")
	v := verifierOf(t, setOf(t, key.JWK(), ecKey.JWK()))
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
			h, c := headerOf(key), logoutClaims()
			h["typ"] = "logout+jwt"
			test.alter(h, c)
			by := key
			if h["kid"] == ecKey.ID {
				by = ecKey
			}
			got, err := v.LogoutToken(t.Context(), "", odd.Sign(by, h, c))
			var invalid *jose.InvalidLogoutTokenError
			switch {
			case test.rule == "" && (err != nil || got.JTI == "" || got.Subject == "" && got.SID == "" ||
				got.Expiry.IsZero() || got.IssuedAt.IsZero()):
				t.Errorf("token = %+v, %v", got, err)
			case test.rule != "" && (!errors.As(err, &invalid) || invalid.Rule != test.rule):
				t.Errorf("error = %v, want rule %q", err, test.rule)
			}
		})
	}
}

// BC3: where the operator lets a provider leave out exp, iat bounds the token, and an exp still
// counts.
func TestLogoutTokenByItsIat(t *testing.T) {
	key := odd.NewKey("rsa-1", "RS256")
	v := verifierOf(t, setOf(t, key.JWK()), func(want *jose.Expectations) { want.LogoutByIssued = true })
	for _, test := range []struct {
		name, rule string
		alter      func(c odd.Claims)
	}{
		{"fresh", "", func(c odd.Claims) { delete(c, "exp") }},
		{"null", "format", func(c odd.Claims) { c["exp"] = nil }},
		{"old", "iat", func(c odd.Claims) { delete(c, "exp"); c["iat"] = now() - 121 }},
		{"exp past", "exp", func(c odd.Claims) { c["exp"] = now() - 120 }},
		{"exp in other case", "", func(c odd.Claims) { delete(c, "exp"); c["EXP"] = now() - 3600 }},
	} {
		c := logoutClaims()
		test.alter(c)
		_, err := v.LogoutToken(t.Context(), "", odd.Sign(key, headerOf(key), c))
		var invalid *jose.InvalidLogoutTokenError
		if test.rule == "" && err != nil || test.rule != "" && (!errors.As(err, &invalid) ||
			invalid.Rule != test.rule || invalid.Remedy == "") {
			t.Errorf("%s: error = %v, want rule %q", test.name, err, test.rule)
		}
	}
}

// FuzzLogoutToken: a stranger's bytes neither panic nor pass. What passes was signed by the
// provider, and says all that it must.
func FuzzLogoutToken(f *testing.F) {
	key := odd.NewKey("rsa-1", "RS256")
	v := verifierOf(f, setOf(f, key.JWK()))
	good, err := json.Marshal(logoutClaims())
	if err != nil {
		f.Fatal(err)
	}
	header := `{"alg":"RS256","kid":"rsa-1","typ":"logout+jwt"}`
	f.Add(header, string(good), true)
	f.Add(header, string(good), false)
	f.Add(header, `{"iss":"`+issuer+`","aud":["cloakroom"],"events":{"`+logoutEvent+`":{}},"nonce":null}`, true)
	f.Add(`{"alg":"none"}`, `{}`, false)
	f.Add(`[]`, `null`, true)
	f.Add(`{"alg":"RS256","alg":"RS256"}`, strings.Repeat("[", 100), true)
	f.Fuzz(func(t *testing.T, header, payload string, signed bool) {
		raw := odd.SignRaw(key, "RS256", []byte(header), []byte(payload))
		if !signed {
			raw = raw[:strings.LastIndex(raw, ".")+1] + base64.RawURLEncoding.EncodeToString([]byte(payload))
		}
		got, err := v.LogoutToken(t.Context(), "", raw)
		if err != nil {
			return
		}
		if !signed || got.JTI == "" || got.Subject == "" && got.SID == "" ||
			got.Issuer != issuer || got.Expiry.Before(time.Now().Add(-2*time.Minute)) {
			t.Errorf("passed: %+v from %q.%q, signed %v", got, header, payload, signed)
		}
	})
}
