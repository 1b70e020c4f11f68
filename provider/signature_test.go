package provider_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/cloakroom/cloakroom/provider/jose"
	"github.com/cloakroom/cloakroom/secret"
	"github.com/cloakroom/cloakroom/test/providers/odd"
)

// MD5: keys are rotated before a token is signed, and between two logins.
func TestRotatedKeysAreSeenWithinTheLogin(t *testing.T) {
	op := odd.New(t)
	p := newProvider(t, op)
	checkRule(t, p, op, "")
	for range 3 {
		op.Rotate()
		checkRule(t, p, op, "")
	}
	if n := op.Count(odd.JWKS); n != 4 {
		t.Errorf("key fetches = %d, want 4", n)
	}
}

// MD5: another key replaces the first under the same kid.
func TestKeyReplacedUnderItsOwnNameIsSeen(t *testing.T) {
	op := odd.New(t)
	p := newProvider(t, op)
	checkRule(t, p, op, "")
	op.SetKeys(odd.NewKey("rsa-1", "RS256"))
	checkRule(t, p, op, "")
}

// underTheOldKid makes op sign everything with its newest key, but under the kid of the first, as
// Ory Hydra does after a rotation. The key set has both keys. It returns the new key.
func underTheOldKid(op *odd.Provider) *odd.Key {
	old, added := op.Key("rsa-1", ""), odd.NewKey("rsa-2", "RS256")
	op.SetKeys(added, old)
	op.OnSign(func(h, c odd.Claims) string { h["kid"] = old.ID; return odd.Sign(added, h, c) })
	return added
}

// MD5, RFC 7515 §4.1.4: kid is only a hint, for each kind of token. The algorithm stays fixed.
func TestNewKeyUnderTheOldKidIsFound(t *testing.T) {
	op := odd.New(t)
	p := newProvider(t, op)
	checkRule(t, p, op, "")
	added := underTheOldKid(op)
	before := op.Count(odd.JWKS)
	logout := func(key *odd.Key, kid string) error {
		_, err := p.Verifier().LogoutToken(t.Context(), "", odd.Sign(key, odd.Claims{"alg": key.Alg, "kid": kid}, logoutClaims(op)))
		return err
	}
	if err := logout(added, "rsa-1"); err != nil {
		t.Errorf("logout token: %v", err)
	}
	checkRule(t, p, op, "")
	raw := odd.Sign(added, odd.Claims{"alg": "RS256", "kid": "rsa-1"}, odd.Claims{
		"iss": op.Issuer(), "aud": op.Client.ID, "iat": now(), "exp": now() + 60, "sub": "alice",
	})
	original := &jose.Original{Issuer: op.Issuer(), Subject: "alice"}
	if _, err := p.Verifier().RenewedIDToken(t.Context(), secret.New(raw), original); err != nil {
		t.Errorf("renewed ID token: %v", err)
	}
	op.Intercept(odd.Userinfo, odd.Answer(200, "application/jwt", odd.Sign(added, odd.Claims{"alg": "RS256", "kid": "rsa-1"}, odd.Claims{
		"iss": op.Issuer(), "aud": op.Client.ID, "sub": "alice",
	})))
	if _, err := p.Userinfo(t.Context(), secret.New("at"), "alice"); err != nil {
		t.Errorf("signed userinfo: %v", err)
	}
	if n := op.Count(odd.JWKS) - before; n != 1 {
		t.Errorf("key fetches = %d, want 1", n)
	}
	if err := logout(op.Key("rsa-1", ""), "rsa-1"); err != nil {
		t.Errorf("the old key under its own kid: %v", err)
	}
	if err := logout(odd.NewKey("", "RS256"), "rsa-1"); err == nil {
		t.Error("a stranger's key under the old kid was believed")
	}
	if err := logout(odd.NewKey("", "ES256"), "rsa-1"); err == nil {
		t.Error("another algorithm was believed")
	}
}

// MD6: of a large key set at most 16 keys are tried, those with the kid first.
func TestNoMoreThanSixteenKeysAreTried(t *testing.T) {
	op := odd.New(t)
	signer := op.Key("rsa-1", "")
	for i := range 40 {
		other := odd.NewKey(fmt.Sprintf("ec-%d", i), "ES256") // cheap to make
		op.PublishAlso(other.JWK())
	}
	p := newProvider(t, op, func(s *setup) { s.IDTokenAlg = "ES256" })
	hidden := *op.Key("ec-1", "")
	op.SetKeys(signer, &hidden)
	op.Client.Alg = "ES256"
	raw := func(kid string) string {
		return odd.Sign(&hidden, odd.Claims{"alg": "ES256", "kid": kid}, logoutClaims(op))
	}
	var invalid *jose.InvalidLogoutTokenError
	if _, err := p.Verifier().LogoutToken(t.Context(), "", raw("another")); !errors.As(err, &invalid) || invalid.Rule != "signature" {
		t.Errorf("the 41st key was tried: %v", err)
	}
	if _, err := p.Verifier().LogoutToken(t.Context(), "", raw("ec-1")); err != nil {
		t.Errorf("the key that is named was not tried first: %v", err)
	}
	if _, err := p.Verifier().LogoutToken(t.Context(), "", raw("another")); err != nil {
		t.Errorf("the key that verified last was not tried: %v", err)
	}
}

// BC13: forged tokens can't each have sixteen keys tried without end. After a login has shown which
// key signs under the old kid, logout tokens are verified even during a flood of forged ones.
func TestForgedTokensShareABudgetOfVerifications(t *testing.T) {
	op, c := odd.New(t), &clock{}
	keys := []any{}
	for i := range 13 {
		keys = append(keys, odd.NewKey(fmt.Sprintf("ec-%d", i+2), "ES256").JWK())
	}
	op.PublishAlso(keys...)
	op.Client.Alg = "ES256"
	p := newProvider(t, op, func(s *setup) { s.Now, s.IDTokenAlg = c.now, "ES256" })
	checkRule(t, p, op, "")
	first, added := op.Key("ec-1", ""), odd.NewKey("ec-new", "ES256")
	op.SetKeys(added, first)
	op.OnSign(func(h, c odd.Claims) string { h["kid"] = first.ID; return odd.Sign(added, h, c) })
	forger := odd.NewKey("x", "ES256")
	flood := func() {
		for range 200 {
			_, _ = p.Verifier().LogoutToken(t.Context(), "", odd.Sign(forger, odd.Claims{"alg": "ES256", "kid": "ec-1"}, logoutClaims(op)))
		}
	}
	logout := func() error {
		_, err := p.Verifier().LogoutToken(t.Context(), "", odd.Sign(added, odd.Claims{"alg": "ES256", "kid": "ec-1"}, logoutClaims(op)))
		return err
	}
	flood()
	if err := logout(); err == nil {
		t.Error("the budget is not spent after 200 forged tokens, with up to 15 keys to try for each")
	}
	checkRule(t, p, op, "") // a login has no budget
	if err := logout(); err != nil {
		t.Errorf("after a login has shown the key: %v", err)
	}
	op.SetKeys(odd.NewKey("ec-newer", "ES256"))
	c.advance(10 * time.Second)
	flood() // has the set fetched anew
	if err := logout(); err == nil {
		t.Error("a key that the set does not have any more was believed")
	}
}

// MD6, BC13: a flood of forged logout tokens causes only a few fetches. A login sees a rotation
// during the flood at once, and after it logout tokens do, too.
func TestForgedTokensDoNotBlockARotation(t *testing.T) {
	op := odd.New(t)
	p := newProvider(t, op)
	checkRule(t, p, op, "")
	before := op.Count(odd.JWKS)
	forger := odd.NewKey("x", "RS256")
	var wg sync.WaitGroup
	for worker := range 10 {
		wg.Go(func() {
			for i := range 100 {
				raw := odd.Sign(forger, odd.Claims{"alg": "RS256", "kid": fmt.Sprintf("random-%d-%d", worker, i)}, logoutClaims(op))
				var invalid *jose.InvalidLogoutTokenError
				if _, err := p.Verifier().LogoutToken(t.Context(), "", raw); !errors.As(err, &invalid) || invalid.Rule != "signature" {
					t.Errorf("forged token: %v", err)
				}
			}
		})
	}
	began := time.Now()
	wg.Wait()
	if n, most := op.Count(odd.JWKS)-before, 4+int(time.Since(began)/time.Second); n > most {
		t.Errorf("key fetches = %d, want at most %d", n, most)
	}
	op.Rotate()
	checkRule(t, p, op, "")
	if _, err := p.Verifier().LogoutToken(t.Context(), "", op.LogoutToken(func(_, c odd.Claims) { c["sub"] = "alice" })); err != nil {
		t.Errorf("logout token after the rotation: %v", err)
	}
}

// MD6: the flood delays a rotation for logout tokens by two seconds at most.
func TestLogoutTokenAfterARotationWaitsNoLongerThanTheLimit(t *testing.T) {
	op, c := odd.New(t), &clock{}
	p := newProvider(t, op, func(s *setup) { s.Now = c.now })
	forger := odd.NewKey("x", "RS256")
	for i := range 50 {
		forged := odd.Sign(forger, odd.Claims{"alg": "RS256", "kid": fmt.Sprint(i)}, logoutClaims(op))
		_, _ = p.Verifier().LogoutToken(t.Context(), "", forged)
	}
	op.Rotate()
	c.advance(2 * time.Second)
	if _, err := p.Verifier().LogoutToken(t.Context(), "", op.LogoutToken(func(_, c odd.Claims) { c["sub"] = "alice" })); err != nil {
		t.Errorf("logout token after the rotation: %v", err)
	}
}

// MD6: a hundred tokens of an unknown key cause one fetch.
func TestWaitersShareAFetch(t *testing.T) {
	op := odd.New(t)
	p := newProvider(t, op)
	checkRule(t, p, op, "")
	op.Rotate()
	raw := op.LogoutToken(func(_, c odd.Claims) { c["sub"] = "alice" })
	before := op.Count(odd.JWKS)
	var wg sync.WaitGroup
	for range 100 {
		wg.Go(func() {
			if _, err := p.Verifier().LogoutToken(t.Context(), "", raw); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if n := op.Count(odd.JWKS) - before; n != 1 {
		t.Errorf("key fetches = %d, want 1", n)
	}
}

// MD7: an unusable entry of the key set does not affect the others.
func TestOddKeysDoNotSpoilTheSet(t *testing.T) {
	op := odd.New(t)
	same := odd.NewKey("rsa-1", "RS256").JWK() // several keys of one kid
	broken := odd.NewKey("rsa-1", "RS256").JWK()
	broken["n"] = "!!!"
	badChain := op.Key("rsa-1", "").JWK() // a good key with a certificate that does not parse
	badChain["kid"] = "with-chain"
	badChain["x5c"] = []string{"bm9uc2Vuc2U="}
	other := odd.NewKey("ec-9", "ES384").JWK()
	other["kid"] = "rsa-1" // a kid shared between types
	op.PublishAlso(
		odd.Claims{
			"kty": "EC", "crv": "secp256k1", "kid": "rsa-1",
			"x": "WfSQ4rCbzSHu0dVRcGXdwN8uUdoZlKDg9sq8Yt0lCQI",
			"y": "6tY1YEgnP3A1QXsEgrRdmNDxqEmo2YvlcvPkUj4oBOg",
		},
		odd.Claims{"kty": "OKP", "crv": "Ed448", "kid": "ed448", "x": "AAAA"},
		odd.Claims{"kty": "OKP", "crv": "X25519", "use": "enc", "kid": "x", "x": "AAAA"},
		odd.Claims{"kty": "oct", "kid": "rsa-1", "k": "c2VjcmV0"},
		odd.Claims{"kty": "LATTICE", "kid": "rsa-1"},
		odd.Claims{"kid": "rsa-1"}, odd.Claims{"kty": 7}, odd.Claims{}, "text", 42, nil, []string{"x"},
		same, broken, badChain, other,
	)
	p := newProvider(t, op)
	checkRule(t, p, op, "")
	op.OnHeader(func(h odd.Claims) { delete(h, "kid") })
	checkRule(t, p, op, "") // several fit; each is tried
	op.OnSign(func(h, c odd.Claims) string { h["kid"] = "with-chain"; return odd.Sign(op.Key("rsa-1", ""), h, c) })
	checkRule(t, p, op, "")
	op.OnSign(func(h, c odd.Claims) string {
		h["alg"] = "HS256"
		return odd.Sign(&odd.Key{Secret: []byte("secret")}, h, c)
	})
	checkRule(t, p, op, "alg")
}

// MD7: keys without a kid verify tokens that have one, and the other way round.
func TestKeysWithoutNames(t *testing.T) {
	op := odd.New(t)
	key := op.Key("rsa-1", "")
	hidden := *key
	hidden.Hidden = true
	op.SetKeys(&hidden)
	nameless := key.JWK()
	delete(nameless, "kid")
	delete(nameless, "use")
	delete(nameless, "alg")
	op.PublishAlso(nameless)
	p := newProvider(t, op)
	checkRule(t, p, op, "")
	op.OnSign(func(h, c odd.Claims) string { delete(h, "kid"); return odd.Sign(key, h, c) })
	checkRule(t, p, op, "")
}

// An empty set, and one with a thousand keys, are valid answers, too.
func TestNoKeyOfAnySetIsASignatureFault(t *testing.T) {
	op := odd.New(t)
	op.Intercept(odd.JWKS, odd.Answer(200, "application/json", `{"keys":[]}`))
	checkRule(t, newProvider(t, op), op, "signature")
	many := make([]odd.Claims, 1000)
	for i := range many {
		many[i] = odd.Claims{"kty": "RSA", "n": "AQAB", "e": "AQAB"}
	}
	body, err := json.Marshal(odd.Claims{"keys": many})
	if err != nil {
		t.Fatal(err)
	}
	op.Intercept(odd.JWKS, odd.Answer(200, "application/json", string(body)))
	checkRule(t, newProvider(t, op), op, "signature")
}
