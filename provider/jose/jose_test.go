package jose_test

import (
	"context"
	"encoding/json"
	"errors"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/cloakroom/cloakroom/provider/jose"
	"github.com/cloakroom/cloakroom/secret"
	"github.com/cloakroom/cloakroom/test/providers/odd"
)

const (
	issuer      = "https://id.example.com"
	client      = "cloakroom"
	nonce       = "n-0S6_WzA2Mj"
	accessToken = "at-of-alice"
	// clientSecret is long enough for each HMAC (RFC 7518 §3.2).
	clientSecret = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func now() int64 { return time.Now().Unix() }

// published is a key set that nobody has to fetch.
type published []jose.PublicKey

func (p published) Known(context.Context) ([]jose.PublicKey, int) { return p, 1 }

func (p published) Newer(context.Context, int, func(time.Time) bool) ([]jose.PublicKey, int, error) {
	return p, 1, nil
}

// setOf is the key set with these entries.
func setOf(t testing.TB, entries ...any) published {
	t.Helper()
	set, err := json.Marshal(odd.Claims{"keys": entries})
	if err != nil {
		t.Fatal(err)
	}
	keys, err := jose.ParseKeys(set)
	if err != nil {
		t.Fatal(err)
	}
	return keys
}

// verifierOf judges what key has signed, as the changes want it.
func verifierOf(t testing.TB, keys published, changes ...func(*jose.Expectations)) *jose.Verifier {
	t.Helper()
	want := jose.Expectations{
		Issuers: jose.NewIssuers(issuer, nil), ClientID: client, Alg: "RS256",
		Secret: secret.New(clientSecret), Now: time.Now,
	}
	for _, change := range changes {
		change(&want)
	}
	return jose.NewVerifier(want, keys, time.Now)
}

func headerOf(key *odd.Key) odd.Claims { return odd.Claims{"alg": key.Alg, "kid": key.ID} }

// idClaims are those of a good ID token.
func idClaims() odd.Claims {
	return odd.Claims{
		"iss": issuer, "sub": "alice", "aud": client, "iat": now(), "exp": now() + 300, "auth_time": now(),
		"nonce": nonce, "at_hash": odd.HalfHash("RS256", accessToken), "email": "alice@example.com",
	}
}

// logIn verifies the ID token of a login.
func logIn(t testing.TB, v *jose.Verifier, raw string, changes ...func(*jose.Attempt)) (*jose.IDToken, error) {
	t.Helper()
	want := jose.Attempt{Nonce: nonce, AccessToken: secret.New(accessToken), Started: time.Now()}
	for _, change := range changes {
		change(&want)
	}
	return v.IDToken(t.Context(), secret.New(raw), want)
}

// checkRule compares the rule that an ID token broke; "" means that it is good.
func checkRule(t testing.TB, err error, rule string) {
	t.Helper()
	var invalid *jose.InvalidTokenError
	switch {
	case rule == "" && err != nil:
		t.Errorf("error = %v, want none", err)
	case rule != "" && (!errors.As(err, &invalid) || invalid.Rule != rule):
		t.Errorf("error = %v, want rule %q", err, rule)
	}
}
