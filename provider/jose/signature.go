package jose

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"sync/atomic"
	"time"

	"github.com/go-jose/go-jose/v4"
	"golang.org/x/sync/semaphore"
	"golang.org/x/time/rate"

	"github.com/cloakroom/cloakroom/fairqueue"
	"github.com/cloakroom/cloakroom/secret"
)

// A keySet holds the provider's keys, and limits how often they are fetched again (MD5, MD6).
//
// A token that no known key has signed may be the first one after a rotation, or forged. ID tokens
// come from the provider itself, so their fetches are limited only in case the provider signs
// wrongly. Logout tokens come from anyone: they may cause three fetches at once, then one every two
// seconds, whoever sends them. Any fetch brings the new keys, so that a flood of forged tokens
// delays a rotation by two seconds at most, and never for a login.
//
// Trying keys that a token does not name costs processor time, so tokens from strangers share a
// budget for it. While a flood of forged tokens uses it up, a logout token with a wrong kid is
// refused, until a login or renewal has shown which key signs now.
type keySet struct {
	alg       string
	issuers   Issuers
	secret    secret.Value // the client secret, where alg is HS*
	published Keys
	now       func() time.Time          // this process's own clock
	own       source                    // answers to our own requests
	strangers source                    // logout tokens
	proven    atomic.Pointer[PublicKey] // the key of the last valid signature; nil: none yet
}

// A source is where tokens come from. It limits what its tokens may cost together.
type source struct {
	fetches *rate.Limiter       // fetches of the key set
	tries   *rate.Limiter       // verifications with keys that the token does not name; nil: unlimited
	turns   *fairqueue.Queue    // verifications at a time; nil: any number
	waiting *semaphore.Weighted // tokens that wait for a fetch; nil: any number
}

// newStrangers returns the source of tokens that anyone can send.
func newStrangers() source {
	return source{
		fetches: rate.NewLimiter(rate.Every(2*time.Second), 3),
		tries:   rate.NewLimiter(triesPerSecond, triesAtOnce),
		turns:   fairqueue.New(runtime.GOMAXPROCS(0) / 2),
		waiting: semaphore.NewWeighted(maxFetchWaiters),
	}
}

const (
	// turnPatience is how long a stranger's token waits for its signature to be checked. Thousands
	// of signatures are checked in that time.
	turnPatience = 5 * time.Second
	// maxFetchWaiters limits the number of tokens that wait for a fetch of the keys, which can take
	// ten seconds.
	maxFetchWaiters = 256
)

// The budget for tokens from strangers. 200 verifications with RSA keys take some 10 ms of
// processor time.
const (
	triesPerSecond = 200
	triesAtOnce    = 400
)

// Keys are the published keys of a provider. Each set that was fetched has a generation, counted
// from 1.
type Keys interface {
	// Known returns the newest set that was fetched; generation 0 means that there is none. It does
	// not wait.
	Known(ctx context.Context) (keys []PublicKey, generation int)
	// Newer returns a set of a later generation than the given one, and fetches it if need be. If
	// allow forbids the fetch, it returns the known set with its generation.
	Newer(
		ctx context.Context, than int, allow func(now time.Time) bool,
	) (keys []PublicKey, generation int, err error)
}

// errSignature means that no key of the provider has made the signature.
var errSignature = errors.New("no key of the provider has made this signature")

func newKeySet(want Expectations, published Keys, now func() time.Time) *keySet {
	s := &keySet{
		alg:       want.Alg,
		issuers:   want.Issuers,
		published: published,
		now:       now,
		own:       source{fetches: rate.NewLimiter(rate.Every(time.Second), 5)},
		strangers: newStrangers(),
	}
	if IsHMAC(want.Alg) {
		s.secret = want.Secret
	}
	return s
}

// A verification checks one signature; it is the oidc.KeySet of one call. go-oidc does not wrap the
// errors of a KeySet, so the caller finds the error in err.
type verification struct {
	keys   *keySet
	from   *source
	client string // who sent the token
	iss    string // the token's issuer, which was checked
	err    error
}

// VerifySignature implements oidc.KeySet. Keys that the token's header names or contains (jwk, jku,
// x5u, x5c) are never used (ID4).
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
		return v.inTurn(ctx, func() ([]byte, bool) {
			payload, err := jws.Verify([]byte(v.keys.secret.Reveal()))
			return payload, err == nil
		})
	}
	known, generation, err := v.known(ctx)
	if err != nil {
		return nil, err
	}
	payload, err := v.inTurn(ctx, func() ([]byte, bool) { return v.withAny(jws, known) })
	if !errors.Is(err, errSignature) {
		return payload, err
	}
	fresh, ok, err := v.newer(ctx, generation)
	if err != nil {
		return nil, err
	}
	if !ok {
		return nil, errSignature
	}
	return v.inTurn(ctx, func() ([]byte, bool) { return v.withAny(jws, fresh) })
}

// inTurn runs check when it is the client's turn, and returns errSignature if the signature is not
// valid. It waits for the processor if the source has a queue, but never for the network: a token
// whose key must be fetched does not delay others.
func (v *verification) inTurn(ctx context.Context, check func() ([]byte, bool)) ([]byte, error) {
	if v.from.turns != nil {
		ctx, cancel := context.WithTimeout(ctx, turnPatience)
		defer cancel()
		leave, err := v.from.turns.Enter(ctx, v.client)
		if err != nil {
			return nil, fmt.Errorf("wait for the signature to be checked: %w: %w", ErrBusy, err)
		}
		defer leave()
	}
	payload, ok := check()
	if !ok {
		return nil, errSignature
	}
	return payload, nil
}

// known returns the key set and its generation. It fetches the set only if there is none yet.
func (v *verification) known(ctx context.Context) (keys []PublicKey, generation int, err error) {
	if keys, generation = v.keys.published.Known(ctx); generation > 0 {
		return keys, generation, nil
	}
	err = v.waiting(func() (err error) {
		keys, generation, err = v.keys.published.Newer(ctx, 0, func(time.Time) bool { return true })
		return err
	})
	return keys, generation, err
}

// newer returns a key set of a later generation, if the limits of the source allow the fetch.
func (v *verification) newer(ctx context.Context, than int) (keys []PublicKey, ok bool, err error) {
	err = v.waiting(func() (err error) {
		var generation int
		allow := func(now time.Time) bool { return v.from.fetches.AllowN(now, 1) }
		keys, generation, err = v.keys.published.Newer(ctx, than, allow)
		ok = generation > than
		return err
	})
	return keys, ok, err
}

// waiting limits how many tokens of a source wait for a fetch: strangers could otherwise have any
// number of requests wait.
func (v *verification) waiting(fetch func() error) error {
	if v.from.waiting == nil {
		return fetch()
	}
	if !v.from.waiting.TryAcquire(1) {
		return fmt.Errorf("wait for the provider's keys: %w", ErrBusy)
	}
	defer v.from.waiting.Release(1)
	return fetch()
}

// withAny tries the keys of one set, as far as the budget of the source allows.
func (v *verification) withAny(jws *jose.JSONWebSignature, keys []PublicKey) ([]byte, bool) {
	if v.keys.issuers.tenants != nil {
		anothers := func(k PublicKey) bool { return !v.keys.issuers.signs(k.issuer, v.iss) }
		keys = slices.DeleteFunc(slices.Clone(keys), anothers)
	}
	sure, rest := candidates(keys, jws.Signatures[0].Header.KeyID, v.keys.alg, v.keys.proven.Load())
	if payload, ok := v.try(jws, sure); ok {
		return payload, true
	}
	if v.from.tries != nil && !v.from.tries.AllowN(v.keys.now(), len(rest)) {
		return nil, false
	}
	return v.try(jws, rest)
}

func (v *verification) try(jws *jose.JSONWebSignature, keys []PublicKey) ([]byte, bool) {
	for _, k := range keys {
		if payload, err := jws.Verify(k.key); err == nil {
			v.keys.proven.Store(&k)
			return payload, true
		}
	}
	return nil, false
}
