package jose_test

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/cloakroom/cloakroom/provider/jose"
	"github.com/cloakroom/cloakroom/secret"
	"github.com/cloakroom/cloakroom/test/providers/odd"
)

// ID1: go-oidc lets Google leave out the scheme (OIDC Core §2).
func TestGooglesIssuerHasItsScheme(t *testing.T) {
	const google = "https://accounts.google.com"
	key := odd.NewKey("rsa-1", "RS256")
	v := verifierOf(t, setOf(t, key.JWK()), func(want *jose.Expectations) { want.Issuers = jose.NewIssuers(google, nil) })
	for iss, rule := range map[string]string{google: "", "accounts.google.com": "iss", issuer: "iss"} {
		c := idClaims()
		c["iss"] = iss
		_, err := logIn(t, v, odd.Sign(key, headerOf(key), c))
		checkRule(t, err, rule)
		if rule != "" && err.Error() != `ID token or userinfo breaks rule "iss": it is not the configured issuer` {
			t.Errorf("error = %v", err)
		}
	}
}

// RFC 7519 §7.3: go-oidc reads a member "ISS" as iss, and the last of the two counts there.
func TestMembersInOtherCaseDoNotCount(t *testing.T) {
	key := odd.NewKey("rsa-1", "RS256")
	v := verifierOf(t, setOf(t, key.JWK()), func(want *jose.Expectations) { want.TrustedAudiences = []string{"trusted"} })
	for _, test := range []struct {
		name, member string
		exact        any // nil: left out
		other, rule  string
	}{
		{"another issuer", "iss", "https://evil.example.com", `"ISS":"` + issuer + `"`, "iss"},
		{"no issuer", "iss", nil, `"Iss":"` + issuer + `"`, "iss"},
		{"another audience", "aud", "other", `"AUD":"cloakroom"`, "aud"},
		{"no audience", "aud", nil, `"AUD":"cloakroom"`, "aud"},
		{"a trusted audience alone", "aud", "trusted", `"AUD":"cloakroom"`, "aud"},
		{"expired", "exp", now() - 3600, `"EXP":9999999999`, "exp"},
		{"no expiry", "exp", nil, `"Exp":9999999999`, "exp"},
		{"no subject", "sub", nil, `"SUB":"alice"`, "sub"},
		{"no nonce", "nonce", nil, `"NONCE":"` + nonce + `"`, "nonce"},
		{"another at_hash", "at_hash", "AAAA", `"AT_HASH":"` + odd.HalfHash("RS256", accessToken) + `"`, "at_hash"},
		{"a member that go-oidc does not read", "email", "alice@example.com", `"EMAIL":"mallory@example.com"`, ""},
		{"the subject of nobody", "sub", "alice", `"SUB":"mallory"`, ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			c := idClaims()
			if delete(c, test.member); test.exact != nil {
				c[test.member] = test.exact
			}
			body, err := json.Marshal(c)
			if err != nil {
				t.Fatal(err)
			}
			body = append(body[:len(body)-1], ","+test.other+"}"...) // after the exact one
			head := []byte(`{"alg":"RS256","kid":"rsa-1"}`)
			got, err := logIn(t, v, odd.SignRaw(key, "RS256", head, body))
			checkRule(t, err, test.rule)
			if err == nil && got.Subject != "alice" {
				t.Errorf("subject = %q, want alice", got.Subject)
			}
		})
	}
}

// OIDC Core §3.1.3.7 step 9, RFC 7519 §4.1.4: a token is refused on the very second of exp and the
// skew.
func TestExpiryIsJudgedByTheGivenClockAndOneMinuteOfSkew(t *testing.T) {
	key := odd.NewKey("rsa-1", "RS256")
	var at time.Time
	v := verifierOf(t, setOf(t, key.JWK()), func(want *jose.Expectations) { want.Now = func() time.Time { return at } })
	c := idClaims()
	exp := time.Unix(c["exp"].(int64), 0)
	raw := odd.Sign(key, headerOf(key), c)
	for _, test := range []struct {
		after time.Duration // exp
		rule  string
	}{
		{-time.Second, ""},
		{time.Minute - time.Nanosecond, ""},
		{time.Minute, "exp"},
		{time.Hour, "exp"},
	} {
		at = exp.Add(test.after)
		_, err := logIn(t, v, raw)
		checkRule(t, err, test.rule)
		if test.rule != "" && err.Error() != `ID token or userinfo breaks rule "exp": it ran out at `+exp.UTC().Format(time.RFC3339) {
			t.Errorf("error = %v", err)
		}
	}
}

// OIDC Core §5.3.2, MD10: signed userinfo is for this client, by this provider; exp counts where it
// is there.
func TestSignedUserinfoIsChecked(t *testing.T) {
	key, foreign := odd.NewKey("rsa-1", "RS256"), odd.NewKey("rsa-1", "RS256")
	v := verifierOf(t, setOf(t, key.JWK()))
	for _, test := range []struct {
		name, rule string
		key        *odd.Key
		alter      func(h, c odd.Claims)
	}{
		{"without exp", "", key, func(_, _ odd.Claims) {}},
		{"with exp", "", key, func(_, c odd.Claims) { c["exp"] = now() + 60 }},
		{"expired", "exp", key, func(_, c odd.Claims) { c["exp"] = now() - 3600 }},
		{"exp null", "format", key, func(_, c odd.Claims) { c["exp"] = nil }},
		{"foreign key", "signature", foreign, func(_, _ odd.Claims) {}},
		{"other issuer", "iss", key, func(_, c odd.Claims) { c["iss"] = "https://evil.example.com" }},
		{"no issuer", "iss", key, func(_, c odd.Claims) { delete(c, "iss") }},
		{"other audience", "aud", key, func(_, c odd.Claims) { c["aud"] = "other" }},
		{"further audience", "aud", key, func(_, c odd.Claims) { c["aud"] = []string{client, "other"} }},
		{"an access token", "typ", key, func(h, _ odd.Claims) { h["typ"] = "at+jwt" }},
	} {
		t.Run(test.name, func(t *testing.T) {
			h, c := headerOf(key), odd.Claims{"iss": issuer, "aud": client, "sub": "alice"}
			test.alter(h, c)
			got, err := v.Userinfo(t.Context(), odd.Sign(test.key, h, c))
			checkRule(t, err, test.rule)
			if err == nil {
				checkRule(t, jose.CheckUserinfoSubject(got, "alice"), "")
				checkRule(t, jose.CheckUserinfoSubject(got, "mallory"), jose.RuleUserinfoSub)
			}
		})
	}
}

// go-oidc's own words may hold a token's values, so that what it refuses is told in ours.
func TestRefusalsAreToldInOurWords(t *testing.T) {
	key := odd.NewKey("rsa-1", "RS256")
	v := verifierOf(t, setOf(t, key.JWK()), func(want *jose.Expectations) { want.TrustedAudiences = []string{"trusted"} })
	for _, test := range []struct {
		name, want string
		value      any // nil: left out
	}{
		{"iss", `"iss": it is not the configured issuer`, "https://evil.example.com"},
		{"iss", `"iss": it is not the configured issuer`, 7},
		{"iss", `"iss": it is not the configured issuer`, nil},
		{"aud", `"aud": this client is not in it`, "trusted"},
		{"aud", `"aud": it is neither a string nor an array of strings`, 7},
		{"aud", `"aud": it is neither a string nor an array of strings`, nil},
		{"exp", `"exp": it ran out at 2001-09-09T01:46:40Z`, 1000000000},
		{"exp", `"exp": it is missing`, nil},
		{"exp", `"exp": it is out of range`, -1},
		{"exp", `"exp": it is not a number of seconds`, "9999999999"},
		{"nbf", `"nbf": it is valid from 2286-11-20T17:46:39Z`, 9999999999},
		{"nonce", `"format": it has claims of the wrong type`, 7},
		{"at_hash", `"format": it has claims of the wrong type`, 7},
		{"_claim_names", `"format": it has claims of the wrong type`, odd.Claims{"email": "nowhere"}},
	} {
		c := idClaims()
		if delete(c, test.name); test.value != nil {
			c[test.name] = test.value
		}
		_, err := logIn(t, v, odd.Sign(key, headerOf(key), c))
		if want := "ID token or userinfo breaks rule " + test.want; err == nil || err.Error() != want {
			t.Errorf("%s %v: error = %v, want %s", test.name, test.value, err, want)
		}
	}
}

// OIDC Core §3.1.3.6: at_hash is made with the hash of the signature's algorithm, that of an HMAC
// too.
func TestAtHashIsOfTheAlgorithm(t *testing.T) {
	for _, alg := range jose.Algorithms() {
		key := &odd.Key{ID: "k", Alg: alg, Secret: []byte(clientSecret)}
		var keys published
		if !jose.IsHMAC(alg) {
			key = odd.NewKey("k", alg)
			keys = setOf(t, key.JWK())
		}
		v := verifierOf(t, keys, func(want *jose.Expectations) { want.Alg = alg })
		for token, rule := range map[string]string{accessToken: "", "another": "at_hash"} {
			c := idClaims()
			c["at_hash"] = odd.HalfHash(alg, token)
			_, err := logIn(t, v, odd.Sign(key, headerOf(key), c))
			checkRule(t, err, rule)
			if t.Failed() {
				t.Fatal(alg)
			}
		}
	}
}

// ID4: no token is taken for another's, whatever its claims: each kind is judged by the same
// signature rule.
func TestATokenThatNobodySignedIsNoToken(t *testing.T) {
	key, foreign := odd.NewKey("rsa-1", "RS256"), odd.NewKey("rsa-1", "RS256")
	v := verifierOf(t, setOf(t, key.JWK()))
	raw := secret.New(odd.Sign(foreign, headerOf(foreign), idClaims()))
	_, err := v.RenewedIDToken(t.Context(), raw, &jose.Original{Issuer: issuer, Subject: "alice"})
	checkRule(t, err, "signature")
	if _, err := v.LogoutToken(t.Context(), "", odd.Sign(foreign, headerOf(foreign), logoutClaims())); err == nil {
		t.Error("a logout token of a foreign key was believed")
	}
}
