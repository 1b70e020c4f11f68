package provider_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/cloakroom/cloakroom/provider"
	"github.com/cloakroom/cloakroom/test/providers/odd"
)

// MD5: rotation before signing, and between two logins.
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

// MD5: the same kid with another key.
func TestKeyReplacedUnderItsOwnNameIsSeen(t *testing.T) {
	op := odd.New(t)
	p := newProvider(t, op)
	checkRule(t, p, op, "")
	op.SetKeys(odd.NewKey("rsa-1", "RS256"))
	checkRule(t, p, op, "")
}

// MD6, BC13: a flood of forged logout tokens costs a few fetches; the rotation after it is seen at once
// by a login, and then by logout tokens, too.
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
				var invalid *provider.InvalidLogoutTokenError
				if _, err := p.VerifyLogoutToken(t.Context(), raw); !errors.As(err, &invalid) || invalid.Rule != "signature" {
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
	if _, err := p.VerifyLogoutToken(t.Context(), op.LogoutToken(func(_, c odd.Claims) { c["sub"] = "alice" })); err != nil {
		t.Errorf("logout token after the rotation: %v", err)
	}
}

// MD6: the flood hides a rotation from logout tokens for two seconds at most.
func TestLogoutTokenAfterARotationWaitsNoLongerThanTheLimit(t *testing.T) {
	op, c := odd.New(t), &clock{}
	p := newProvider(t, op, func(s *setup) { s.Now = c.now })
	forger := odd.NewKey("x", "RS256")
	for i := range 50 {
		_, _ = p.VerifyLogoutToken(t.Context(), odd.Sign(forger, odd.Claims{"alg": "RS256", "kid": fmt.Sprint(i)}, logoutClaims(op)))
	}
	op.Rotate()
	c.advance(2 * time.Second)
	if _, err := p.VerifyLogoutToken(t.Context(), op.LogoutToken(func(_, c odd.Claims) { c["sub"] = "alice" })); err != nil {
		t.Errorf("logout token after the rotation: %v", err)
	}
}

// MD6: a hundred tokens of an unknown key share one fetch.
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
			if _, err := p.VerifyLogoutToken(t.Context(), raw); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if n := op.Count(odd.JWKS) - before; n != 1 {
		t.Errorf("key fetches = %d, want 1", n)
	}
}

// MD7: nonsense in the key set costs nothing but itself.
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
		odd.Claims{"kty": "EC", "crv": "secp256k1", "kid": "rsa-1", "x": "WfSQ4rCbzSHu0dVRcGXdwN8uUdoZlKDg9sq8Yt0lCQI", "y": "6tY1YEgnP3A1QXsEgrRdmNDxqEmo2YvlcvPkUj4oBOg"},
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

// MD7: a set whose keys have no kid serves tokens that have one, and the reverse.
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

// An empty set, and one with a thousand keys, are answers too.
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
