package jose_test

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/cloakroom/cloakroom/provider/jose"
	"github.com/cloakroom/cloakroom/secret"
	"github.com/cloakroom/cloakroom/test/providers/odd"
)

// ID1–ID3, ID6–ID9, ID11, ID13: one claim wrong at a time. The rule is what is reported; "" means
// that the token is good.
func TestIDTokenClaimsAreChecked(t *testing.T) {
	key := odd.NewKey("rsa-1", "RS256")
	v := verifierOf(t, setOf(t, key.JWK()), func(want *jose.Expectations) { want.TrustedAudiences = []string{"trusted"} })
	set := func(name string, value any) func(odd.Claims) {
		return func(c odd.Claims) { c[name] = value }
	}
	drop := func(name string) func(odd.Claims) { return func(c odd.Claims) { delete(c, name) } }
	for _, test := range []struct {
		name, rule string
		alter      func(odd.Claims)
	}{
		{"ID1 as issued", "", func(odd.Claims) {}},
		{"ID1 other issuer", "iss", set("iss", "https://evil.example.com")},
		{"ID1 trailing slash", "iss", set("iss", issuer+"/")},
		{"ID1 issuer without scheme", "iss", set("iss", strings.TrimPrefix(issuer, "https://"))},
		{"ID1 issuer missing", "iss", drop("iss")},
		{"ID1 member in other case does not count", "iss", func(c odd.Claims) { c["ISS"] = c["iss"]; c["iss"] = "https://evil" }},
		{"ID2 audience as an array", "", set("aud", []string{"cloakroom"})},
		{"ID2 audience missing", "aud", drop("aud")},
		{"ID2 audience empty", "aud", set("aud", []string{})},
		{"ID2 foreign audience", "aud", set("aud", "other")},
		{"ID2 trusted audience without us", "aud", set("aud", "trusted")},
		{"ID2 trusted audiences without us", "aud", set("aud", []string{"trusted", "trusted"})},
		{"ID2 further audience", "aud", set("aud", []string{"cloakroom", "other"})},
		{"ID2 further audience with azp", "aud", func(c odd.Claims) { c["aud"] = []string{"cloakroom", "other"}; c["azp"] = "cloakroom" }},
		{"ID2 trusted further audience", "", set("aud", []string{"cloakroom", "trusted"})},
		{"ID2 audience a number", "aud", set("aud", 7)},
		{"ID3 azp is us", "", set("azp", "cloakroom")},
		{"ID3 azp is another", "azp", set("azp", "other")},
		{"ID3 azp is a number", "azp", set("azp", 7)},
		{"ID6 exp missing", "exp", drop("exp")},
		{"ID6 exp past by 6 min", "exp", set("exp", now()-360)},
		{"ID6 exp past by less than the skew", "", set("exp", now()-20)},
		{"ID6 exp a string", "exp", set("exp", "1e99")},
		{"ID6 exp overflows", "exp", set("exp", 1e99)},
		{"ID6 exp negative", "exp", set("exp", -1)},
		{"ID6 exp fractional", "", set("exp", float64(now())+60.5)},
		{"ID6 nbf in the future", "nbf", set("nbf", now()+240)},
		{"ID6 nbf past", "", set("nbf", now()-1)},
		{"ID6 nbf a string", "format", set("nbf", "soon")},
		{"ID7 iat missing", "iat", drop("iat")},
		{"ID7 iat a day ahead", "iat", set("iat", now()+86400)},
		{"ID7 iat a day old", "iat", set("iat", now()-86400)},
		{"ID7 iat within the skew", "", set("iat", now()+30)},
		{"ID8 sub missing", "sub", drop("sub")},
		{"ID8 sub empty", "sub", set("sub", "")},
		{"ID8 sub null", "sub", set("sub", nil)},
		{"ID8 sub a number", "format", set("sub", 42)},
		{"ID8 sub of 255", "", set("sub", strings.Repeat("s", 255))},
		{"ID8 sub of 4 KB", "sub", set("sub", strings.Repeat("s", 4096))},
		{"ID9 nonce missing", "nonce", drop("nonce")},
		{"ID9 nonce of another attempt", "nonce", set("nonce", "other")},
		{"ID9 nonce in other case", "nonce", set("nonce", strings.ToUpper(nonce))},
		{"ID9 nonce empty", "nonce", set("nonce", "")},
		{"ID11 at_hash wrong", "at_hash", set("at_hash", odd.HalfHash("RS256", "other"))},
		{"ID11 at_hash empty", "at_hash", set("at_hash", "")},
		{"ID11 at_hash missing", "", drop("at_hash")},
		{"ID13 a logout token", "typ", set("events", odd.Claims{"http://schemas.openid.net/event/backchannel-logout": odd.Claims{}})},
		{"ID13 Keycloak's access token", "typ", set("typ", "Bearer")},
		{"ID13 Keycloak's ID token", "", set("typ", "ID")},
		{"SC9 64 KB of groups", "", set("groups", strings.Split(strings.Repeat("a-group,", 8000), ","))},
		{"SC9 absurdly large", "format", set("groups", strings.Repeat("x", 300<<10))},
	} {
		t.Run(test.name, func(t *testing.T) {
			c := idClaims()
			test.alter(c)
			_, err := logIn(t, v, odd.Sign(key, headerOf(key), c))
			checkRule(t, err, test.rule)
		})
	}
}

// ID4, ID5, ID13: signature, algorithm and header.
func TestIDTokenSignatureAndHeaderAreChecked(t *testing.T) {
	rsaKey, ecKey := odd.NewKey("rsa-1", "RS256"), odd.NewKey("ec-1", "ES256")
	foreign := odd.NewKey("rsa-1", "RS256")
	forEncryption := odd.NewKey("enc-1", "RS256")
	encEntry := forEncryption.JWK()
	encEntry["use"] = "enc"
	wrapEntry := forEncryption.JWK()
	wrapEntry["kid"] = "enc-2"
	delete(wrapEntry, "use")
	wrapEntry["key_ops"] = []string{"wrapKey"}
	v := verifierOf(t, setOf(t, rsaKey.JWK(), ecKey.JWK(), encEntry, wrapEntry))
	publicAsSecret, err := json.Marshal(rsaKey.JWK())
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		name, rule string
		sign       func(h, c odd.Claims) string
	}{
		{"no kid", "", func(h, c odd.Claims) string { delete(h, "kid"); return odd.Sign(rsaKey, h, c) }},
		{"typ JWT", "", func(h, c odd.Claims) string { h["typ"] = "JWT"; return odd.Sign(rsaKey, h, c) }},
		{"ID4 foreign key of the same kid", "signature", func(h, c odd.Claims) string { return odd.Sign(foreign, h, c) }},
		{"ID4 key in the header", "signature", func(h, c odd.Claims) string {
			h["jwk"] = foreign.JWK()
			h["jku"] = "https://evil.example.com/jwks"
			h["x5u"] = "https://evil.example.com/cert"
			return odd.Sign(foreign, h, c)
		}},
		{"ID4 jku beside a good key is not looked at", "", func(h, c odd.Claims) string {
			h["jku"] = "https://evil.example.com/jwks"
			return odd.Sign(rsaKey, h, c)
		}},
		{"ID4 encryption key", "signature", func(h, c odd.Claims) string { h["kid"] = "enc-1"; return odd.Sign(forEncryption, h, c) }},
		{"ID4 key for wrapping", "signature", func(h, c odd.Claims) string { h["kid"] = "enc-2"; return odd.Sign(forEncryption, h, c) }},
		{"ID5 none", "alg", func(h, c odd.Claims) string { h["alg"] = "none"; return odd.Sign(nil, h, c) }},
		{"ID5 ES256 by a published key", "alg", func(h, c odd.Claims) string {
			h["alg"], h["kid"] = "ES256", "ec-1"
			return odd.Sign(ecKey, h, c)
		}},
		{"ID5 PS256 by the RSA key", "alg", func(h, c odd.Claims) string { h["alg"] = "PS256"; return odd.Sign(rsaKey, h, c) }},
		{"ID5 HS256 with the client secret", "alg", func(h, c odd.Claims) string {
			h["alg"] = "HS256"
			return odd.Sign(&odd.Key{Secret: []byte(clientSecret)}, h, c)
		}},
		{"ID5 HS256 with the public key", "alg", func(h, c odd.Claims) string {
			h["alg"] = "HS256"
			return odd.Sign(&odd.Key{Secret: publicAsSecret}, h, c)
		}},
		{"ID13 at+jwt", "typ", func(h, c odd.Claims) string { h["typ"] = "at+jwt"; return odd.Sign(rsaKey, h, c) }},
		{"ID13 application/at+jwt", "typ", func(h, c odd.Claims) string { h["typ"] = "application/at+JWT"; return odd.Sign(rsaKey, h, c) }},
		{"ID13 logout+jwt", "typ", func(h, c odd.Claims) string { h["typ"] = "logout+jwt"; return odd.Sign(rsaKey, h, c) }},
		{"ID13 oauth-authz-req+jwt", "typ", func(h, c odd.Claims) string {
			h["typ"] = "oauth-authz-req+jwt"
			return odd.Sign(rsaKey, h, c)
		}},
		{"ID13 unknown crit", "crit", func(h, c odd.Claims) string { h["crit"] = []string{"exp"}; return odd.Sign(rsaKey, h, c) }},
		{"ID13 nested", "cty", func(h, c odd.Claims) string { h["cty"] = "JWT"; return odd.Sign(rsaKey, h, c) }},
		{"ID13 repeated claim", "format", func(h, c odd.Claims) string {
			body, _ := json.Marshal(c)
			return odd.SignRaw(rsaKey, "RS256", []byte(`{"alg":"RS256","kid":"rsa-1"}`), []byte(`{"sub":"mallory",`+string(body[1:])))
		}},
		{"ID13 repeated claim inside", "format", func(h, c odd.Claims) string {
			c["address"] = json.RawMessage(`{"a":1,"a":2}`)
			return odd.Sign(rsaKey, h, c)
		}},
		{"ID13 repeated header", "format", func(_, c odd.Claims) string {
			body, _ := json.Marshal(c)
			return odd.SignRaw(rsaKey, "RS256", []byte(`{"alg":"RS256","kid":"rsa-1","alg":"RS256"}`), body)
		}},
		{"ID13 five parts", "format", func(h, c odd.Claims) string { return odd.Sign(rsaKey, h, c) + ".a.b" }},
		{"ID13 two signatures", "format", func(h, c odd.Claims) string {
			parts := strings.Split(odd.Sign(rsaKey, h, c), ".")
			s := odd.Claims{"protected": parts[0], "signature": parts[2]}
			both, _ := json.Marshal(odd.Claims{"payload": parts[1], "signatures": []odd.Claims{s, s}})
			return string(both)
		}},
		{"not a JWT", "format", func(odd.Claims, odd.Claims) string { return "opaque" }},
		{"empty", "format", func(odd.Claims, odd.Claims) string { return "" }},
		{"nested too deep", "format", func(h, c odd.Claims) string {
			c["deep"] = json.RawMessage(strings.Repeat("[", 5000) + strings.Repeat("]", 5000))
			return odd.Sign(rsaKey, h, c)
		}},
		{"signature cut off", "signature", func(h, c odd.Claims) string {
			s := odd.Sign(rsaKey, h, c)
			return s[:strings.LastIndex(s, ".")+1]
		}},
	} {
		t.Run(test.name, func(t *testing.T) {
			_, err := logIn(t, v, test.sign(headerOf(rsaKey), idClaims()))
			checkRule(t, err, test.rule)
		})
	}
	_, err = logIn(t, v, odd.Sign(rsaKey, headerOf(rsaKey), idClaims()))
	checkRule(t, err, "") // the next proper login works
}

// ID12: what was asked about time and strength of the login is looked at in the answer.
func TestAuthTimeAndACRAreCheckedWhereAsked(t *testing.T) {
	key := odd.NewKey("rsa-1", "RS256")
	v := verifierOf(t, setOf(t, key.JWK()))
	maxAge := func(d time.Duration) func(*jose.Attempt) {
		return func(e *jose.Attempt) { e.MaxAge = &d }
	}
	login := func(e *jose.Attempt) { e.PromptLogin = true }
	acr := func(e *jose.Attempt) { e.EssentialACR = []string{"gold", "silver"} }
	for _, test := range []struct {
		name, rule, claim string
		value             any
		want              func(*jose.Attempt)
	}{
		{"ID12 max_age and none", "auth_time", "auth_time", nil, maxAge(time.Minute)},
		{"ID12 max_age and old", "auth_time", "auth_time", now() - 3600, maxAge(time.Minute)},
		{"ID12 max_age and fresh", "", "auth_time", now(), maxAge(time.Minute)},
		{"ID12 future", "auth_time", "auth_time", now() + 3600, maxAge(time.Minute)},
		{"ID12 a string", "auth_time", "auth_time", "now", maxAge(time.Minute)},
		{"ID12 max_age=0 and before the attempt", "auth_time", "auth_time", now() - 90, maxAge(0)},
		{"ID12 prompt=login and before the attempt", "auth_time", "auth_time", now() - 3600, login},
		{"ID12 prompt=login and none", "", "auth_time", nil, login},
		{"ID12 acr missing", "acr", "acr", nil, acr},
		{"ID12 acr too weak", "acr", "acr", "bronze", acr},
		{"ID12 acr one of those", "", "acr", "silver", acr},
	} {
		t.Run(test.name, func(t *testing.T) {
			c := idClaims()
			c[test.claim] = test.value
			_, err := logIn(t, v, odd.Sign(key, headerOf(key), c), test.want)
			checkRule(t, err, test.rule)
		})
	}
}

func TestVerifiedIDTokenSaysWhatTheProviderSaid(t *testing.T) {
	key := odd.NewKey("rsa-1", "RS256")
	c := idClaims()
	c["sid"], c["session_state"], c["acr"] = "S", "state", "gold"
	got, err := logIn(t, verifierOf(t, setOf(t, key.JWK())), odd.Sign(key, headerOf(key), c))
	if err != nil {
		t.Fatal(err)
	}
	if got.Subject != "alice" || got.Issuer != issuer || got.SID != "S" || got.SessionState != "state" || got.ACR != "gold" ||
		got.Nonce != nonce || len(got.Audience) != 1 || got.AuthTime.IsZero() || got.Expiry.IsZero() {
		t.Errorf("ID token = %+v", got)
	}
	var claims map[string]any
	if err := json.Unmarshal(got.Claims, &claims); err != nil || claims["email"] != "alice@example.com" {
		t.Errorf("claims = %s (%v)", got.Claims, err)
	}
}

// RN6, RN7: OIDC Core §12.2.
func TestRenewedIDTokenIsComparedWithTheFirst(t *testing.T) {
	key := odd.NewKey("rsa-1", "RS256")
	v := verifierOf(t, setOf(t, key.JWK()))
	first, err := logIn(t, v, odd.Sign(key, headerOf(key), idClaims()))
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		name, rule string
		alter      func(odd.Claims)
	}{
		{"RN6 nonce absent", "", func(odd.Claims) {}},
		{"RN6 nonce of the login", "", func(c odd.Claims) { c["nonce"] = nonce }},
		{"RN6 another nonce", "nonce", func(c odd.Claims) { c["nonce"] = "other" }},
		{"RN6 null nonce", "nonce", func(c odd.Claims) { c["nonce"] = nil }},
		{"RN6 another issuer", "iss", func(c odd.Claims) { c["iss"] = "https://evil.example.com" }},
		{"RN6 another subject", "sub", func(c odd.Claims) { c["sub"] = "mallory" }},
		{"RN6 another audience", "aud", func(c odd.Claims) { c["aud"] = "other" }},
		{"RN6 another azp", "azp", func(c odd.Claims) { c["azp"] = "other" }},
		{"RN6 another auth_time", "auth_time", func(c odd.Claims) { c["auth_time"] = now() - 100 }},
		{"RN6 auth_time absent", "", func(c odd.Claims) { delete(c, "auth_time") }},
		{"RN6 old iat", "iat", func(c odd.Claims) { c["iat"] = now() - 3600 }},
		{"RN6 at_hash wrong", "at_hash", func(c odd.Claims) { c["at_hash"] = "AAAA" }},
	} {
		t.Run(test.name, func(t *testing.T) {
			c := idClaims()
			delete(c, "nonce")
			c["auth_time"], c["at_hash"] = first.AuthTime.Unix(), odd.HalfHash("RS256", "another")
			test.alter(c)
			_, err := v.RenewedIDToken(t.Context(), secret.New(odd.Sign(key, headerOf(key), c)), &jose.Original{
				Subject: first.Subject, Issuer: first.Issuer, AuthTime: first.AuthTime, Nonce: first.Nonce,
				Audience: first.Audience, AccessToken: secret.New("another"),
			})
			checkRule(t, err, test.rule)
		})
	}
}

// Without a nonce of its own an attempt accepts nothing, a token without nonce least of all.
func TestExpectationWithoutNonceAcceptsNothing(t *testing.T) {
	key := odd.NewKey("rsa-1", "RS256")
	c := idClaims()
	delete(c, "nonce")
	_, err := logIn(t, verifierOf(t, setOf(t, key.JWK())), odd.Sign(key, headerOf(key), c), func(a *jose.Attempt) { a.Nonce = "" })
	checkRule(t, err, "nonce")
}
