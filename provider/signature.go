package provider

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/go-jose/go-jose/v4"
	"golang.org/x/time/rate"

	"github.com/cloakroom/cloakroom/secret"
)

// A keySet is the provider's keys, and the limits on fetching them anew (MD5, MD6).
//
// A token that no known key has signed may be the first after a rotation, or forged. ID tokens come
// from the provider itself, so their fetches are limited only against a provider that signs wrongly.
// Logout tokens come from anyone: three fetches at once, then one in two seconds, whoever asks. Since
// any of those fetches brings the new keys, a flood of forgeries hides a rotation for two seconds at
// most, and never from a login.
type keySet struct {
	alg       string
	secret    secret.Value // the client secret, where alg is HS*
	doc       *document[[]publicKey]
	own       *rate.Limiter // for answers to our own requests
	strangers *rate.Limiter // for logout tokens
}

// errSignature means that no key of the provider's has made the signature.
var errSignature = errors.New("no key of the provider has made this signature")

func newKeySet(c Config, o Options, fetch func(context.Context) ([]publicKey, error)) *keySet {
	s := &keySet{
		alg:       c.IDTokenAlg,
		doc:       newDocument(o, c.ID, endpointKeys, fetch),
		own:       rate.NewLimiter(rate.Every(time.Second), 5),
		strangers: rate.NewLimiter(rate.Every(2*time.Second), 3),
	}
	if strings.HasPrefix(c.IDTokenAlg, "HS") {
		s.secret = c.ClientSecret
	}
	return s
}

func (p *Provider) fetchKeys(ctx context.Context) ([]publicKey, error) {
	m, err := p.Metadata(ctx)
	if err != nil {
		return nil, err
	}
	body, err := p.client.get(ctx, endpointKeys, m.JWKSURI)
	if err != nil {
		return nil, err
	}
	keys, err := parseKeys(body)
	if err != nil {
		return nil, p.client.unreachable(endpointKeys, err.Error(), nil)
	}
	return keys, nil
}

// A verification checks one signature; it is the oidc.KeySet of one call. go-oidc prints errors of a
// KeySet instead of wrapping them, so the caller finds it in err.
type verification struct {
	keys    *keySet
	limiter *rate.Limiter
	err     error
}

// VerifySignature implements oidc.KeySet. Keys named or contained in the token's header (jwk, jku,
// x5u, x5c) are never looked at (ID4).
func (v *verification) VerifySignature(ctx context.Context, jwt string) ([]byte, error) {
	payload, err := v.verify(ctx, jwt)
	v.err = err
	return payload, err
}

func (v *verification) verify(ctx context.Context, jwt string) ([]byte, error) {
	jws, err := jose.ParseSignedCompact(jwt, []jose.SignatureAlgorithm{jose.SignatureAlgorithm(v.keys.alg)})
	if err != nil {
		return nil, errSignature
	}
	if !v.keys.secret.IsZero() {
		payload, err := jws.Verify([]byte(v.keys.secret.Reveal()))
		if err != nil {
			return nil, errSignature
		}
		return payload, nil
	}
	known, generation, err := v.keys.doc.get(ctx)
	if err != nil {
		return nil, err
	}
	if payload, ok := verifyWithAny(jws, known, v.keys.alg); ok {
		return payload, nil
	}
	fresh, ok, err := v.keys.doc.newer(ctx, generation, func(now time.Time) bool { return v.limiter.AllowN(now, 1) })
	if err != nil {
		return nil, err
	}
	if ok {
		if payload, ok := verifyWithAny(jws, fresh, v.keys.alg); ok {
			return payload, nil
		}
	}
	return nil, errSignature
}

func verifyWithAny(jws *jose.JSONWebSignature, keys []publicKey, alg string) ([]byte, bool) {
	for _, k := range candidates(keys, jws.Signatures[0].Header.KeyID, alg) {
		if payload, err := jws.Verify(k.key); err == nil {
			return payload, true
		}
	}
	return nil, false
}
