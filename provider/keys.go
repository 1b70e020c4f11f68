package provider

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"sync"
	"time"

	"github.com/go-jose/go-jose/v4"
	"golang.org/x/sync/singleflight"
)

const (
	keysFresh = time.Hour
	// keysRest is how long unknown keys cost no request after the last one: forged tokens with random
	// key ids come to one request in that time, and a genuine rotation waits no longer than that (MD6).
	keysRest = 3 * time.Second
)

// keySet is the provider's keys, an oidc.KeySet. Unlike go-oidc's own it reads them one by one, so
// that a key it does not understand spoils no other (MD7), and asks anew at a limited rate.
type keySet struct {
	provider *Provider
	group    singleflight.Group

	mu      sync.Mutex // guards all below; never held across I/O
	keys    []jose.JSONWebKey
	fetched time.Time // of the last success
	asked   time.Time // of the last try
}

var errSignature = errors.New("no key of the provider fits the signature")

// eagerKeys asks for the keys anew whenever a signature does not fit. It is for tokens that came
// from the provider itself over TLS, so that no stranger can have it asked; rotation within a login
// is seen at once (MD5).
type eagerKeys struct{ *keySet }

// VerifySignature implements oidc.KeySet.
func (k eagerKeys) VerifySignature(ctx context.Context, token string) ([]byte, error) {
	return k.verify(ctx, token, 0)
}

// VerifySignature implements oidc.KeySet, for tokens that anyone can send.
func (k *keySet) VerifySignature(ctx context.Context, token string) ([]byte, error) {
	return k.verify(ctx, token, keysRest)
}

// verify returns the payload of a compact JWS that a key of the provider signed with the one
// algorithm of this client.
func (k *keySet) verify(ctx context.Context, token string, rest time.Duration) ([]byte, error) {
	jws, err := jose.ParseSignedCompact(token, []jose.SignatureAlgorithm{jose.SignatureAlgorithm(k.provider.config.IDTokenAlg)})
	if err != nil {
		return nil, errSignature
	}
	if isHMAC(k.provider.config.IDTokenAlg) {
		payload, err := jws.Verify([]byte(k.provider.config.ClientSecret.Reveal()))
		if err != nil {
			return nil, errSignature
		}
		return payload, nil
	}
	kid := jws.Signatures[0].Header.KeyID
	keys, age := k.current()
	if age < keysFresh {
		if payload, ok := verifyWithAny(jws, keys, kid); ok {
			return payload, nil
		}
	}
	keys, err = k.refetch(ctx, rest)
	if err != nil {
		return nil, err
	}
	if payload, ok := verifyWithAny(jws, keys, kid); ok {
		return payload, nil
	}
	return nil, errSignature
}

// current returns the keys at hand and how old they are.
func (k *keySet) current() ([]jose.JSONWebKey, time.Duration) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.fetched.IsZero() {
		return nil, keysFresh
	}
	return k.keys, k.provider.now().Sub(k.fetched)
}

// refetch asks for the keys, once for all who wait, and not right after the last time.
func (k *keySet) refetch(ctx context.Context, rest time.Duration) ([]jose.JSONWebKey, error) {
	k.mu.Lock()
	keys, resting := k.keys, k.provider.now().Sub(k.asked) < rest
	k.mu.Unlock()
	if resting && keys != nil {
		return keys, nil
	}
	v, err, _ := k.group.Do("", func() (any, error) { return k.fetch(context.WithoutCancel(ctx)) })
	if err != nil && keys != nil {
		return keys, nil // old ones may still fit
	}
	if err != nil {
		return nil, err
	}
	return v.([]jose.JSONWebKey), nil
}

func (k *keySet) fetch(ctx context.Context) ([]jose.JSONWebKey, error) {
	p := k.provider
	k.mu.Lock()
	k.asked = p.now()
	k.mu.Unlock()
	m, err := p.Metadata(ctx)
	if err != nil {
		return nil, err
	}
	r, err := http.NewRequest(http.MethodGet, m.JWKSURI, nil)
	if err != nil {
		return nil, err
	}
	r.Header.Set("Accept", "application/jwk-set+json, application/json")
	a, err := p.fetch(ctx, "keys", r)
	if err != nil {
		return nil, err
	}
	var set struct {
		Keys []json.RawMessage `json:"keys"`
	}
	if a.status != http.StatusOK || json.Unmarshal(a.body, &set) != nil || set.Keys == nil {
		return nil, p.transient("keys", a)
	}
	keys := usable(set.Keys)
	k.mu.Lock()
	defer k.mu.Unlock()
	k.keys, k.fetched = keys, p.now()
	return keys, nil
}

// usable parses keys one by one, and skips what is not a public key for signatures.
func usable(raw []json.RawMessage) []jose.JSONWebKey {
	keys := []jose.JSONWebKey{}
	for _, r := range raw {
		var key jose.JSONWebKey
		if json.Unmarshal(r, &key) == nil && key.Valid() && key.IsPublic() && (key.Use == "" || key.Use == "sig") {
			keys = append(keys, key)
		}
	}
	return keys
}

// verifyWithAny tries the keys that fit: by kid where the token names one, and where a key names an
// algorithm, by that.
func verifyWithAny(jws *jose.JSONWebSignature, keys []jose.JSONWebKey, kid string) ([]byte, bool) {
	alg := jws.Signatures[0].Header.Algorithm
	for _, key := range keys {
		if kid != "" && key.KeyID != kid || key.Algorithm != "" && key.Algorithm != alg {
			continue
		}
		if payload, err := jws.Verify(key.Key); err == nil {
			return payload, true
		}
	}
	return nil, false
}

func isHMAC(alg string) bool { return alg == "HS256" || alg == "HS384" || alg == "HS512" }
