package provider

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync/atomic"
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
//
// Trying keys that a token does not name costs processor time, so strangers' tokens share a budget for
// that. While a flood of forgeries uses it up, a logout token under a wrong kid is refused, until any
// login or renewal has shown which key signs now.
type keySet struct {
	alg       string
	issuers   issuers
	secret    secret.Value // the client secret, where alg is HS*
	doc       *document[[]publicKey]
	own       source                    // of answers to our own requests
	strangers source                    // of logout tokens
	proven    atomic.Pointer[publicKey] // made the last signature that was good; nil: none yet
}

// A source is where tokens come from, with what they may cost together.
type source struct {
	fetches *rate.Limiter // of the key set
	tries   *rate.Limiter // verifications with keys that the token does not name; nil: unlimited
}

// The budget of strangers: 200 verifications with RSA keys take some 10 ms of processor time.
const (
	triesPerSecond = 200
	triesAtOnce    = 400
)

// errSignature means that no key of the provider's has made the signature.
var errSignature = errors.New("no key of the provider has made this signature")

func newKeySet(c Config, o Options, fetch func(context.Context) ([]publicKey, error)) *keySet {
	s := &keySet{
		alg:       c.IDTokenAlg,
		issuers:   newIssuers(c),
		doc:       newDocument(o, c.ID, endpointKeys, fetch),
		own:       source{fetches: rate.NewLimiter(rate.Every(time.Second), 5)},
		strangers: source{fetches: rate.NewLimiter(rate.Every(2*time.Second), 3), tries: rate.NewLimiter(triesPerSecond, triesAtOnce)},
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
	keys *keySet
	from *source
	iss  string // the token's, which was checked
	err  error
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
	if payload, ok := v.withAny(jws, known); ok {
		return payload, nil
	}
	fresh, ok, err := v.keys.doc.newer(ctx, generation, func(now time.Time) bool { return v.from.fetches.AllowN(now, 1) })
	if err != nil {
		return nil, err
	}
	if ok {
		if payload, ok := v.withAny(jws, fresh); ok {
			return payload, nil
		}
	}
	return nil, errSignature
}

// withAny tries the keys of one set, those that the budget does not cover excepted.
func (v *verification) withAny(jws *jose.JSONWebSignature, keys []publicKey) ([]byte, bool) {
	if v.keys.issuers.tenants != nil {
		keys = slices.DeleteFunc(slices.Clone(keys), func(k publicKey) bool { return !v.keys.issuers.signs(k.issuer, v.iss) })
	}
	sure, rest := candidates(keys, jws.Signatures[0].Header.KeyID, v.keys.alg, v.keys.proven.Load())
	if payload, ok := v.try(jws, sure); ok {
		return payload, true
	}
	if v.from.tries != nil && !v.from.tries.AllowN(v.keys.doc.now(), len(rest)) {
		return nil, false
	}
	return v.try(jws, rest)
}

func (v *verification) try(jws *jose.JSONWebSignature, keys []publicKey) ([]byte, bool) {
	for _, k := range keys {
		if payload, err := jws.Verify(k.key); err == nil {
			v.keys.proven.Store(&k)
			return payload, true
		}
	}
	return nil, false
}
