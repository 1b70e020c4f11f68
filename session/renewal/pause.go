package renewal

import (
	"errors"
	"sync"
	"time"

	"github.com/hashicorp/golang-lru/v2/simplelru"

	"github.com/cloakroom/cloakroom/provider"
	"github.com/cloakroom/cloakroom/resilience"
)

// maxPauses bounds the memory that failures can take. Who falls out may try again early, which
// the provider's own breaker still limits.
const maxPauses = 1 << 16

// A pause is what is remembered of a session (or a client token) whose last renewals failed.
type pause struct {
	until    time.Time
	failures int
	err      error // the last one
}

// pauses keeps those who failed from trying again at once.
type pauses[K comparable] struct {
	mu sync.Mutex // guards m
	m  *simplelru.LRU[K, pause]
}

func newPauses[K comparable]() *pauses[K] {
	m, err := simplelru.NewLRU[K, pause](maxPauses, nil)
	if err != nil {
		panic(err) // only for a size below one
	}
	return &pauses[K]{m: m}
}

// failed notes a failure and has key pause: longer each time, with jitter, and never shorter than Retry-After. A
// provider that was not even asked has failed nobody, and is asked again as soon as it is back.
func (p *pauses[K]) failed(key K, now time.Time, cause error) {
	unreachable, ok := errors.AsType[*provider.UnreachableError](cause)
	if ok && unreachable.NotAsked {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	last, _ := p.m.Get(key)
	asked := time.Duration(0)
	if ok {
		asked = unreachable.RetryAfter
	}
	failures := last.failures + 1
	wait := resilience.Renewal.Pauses().AfterAsked(failures, asked)
	p.m.Add(key, pause{until: now.Add(wait), failures: failures, err: cause})
}

// hold keeps key from trying until a moment, with err as the reason.
func (p *pauses[K]) hold(key K, until time.Time, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.m.Add(key, pause{until: until, err: err})
}

// over forgets the failures of key.
func (p *pauses[K]) over(key K) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.m.Remove(key)
}

// err is why key may not try now, nil when it may: a provider that refuses this client, or this user
// without a login, stays one, and anything else is a provider that can't be reached for the rest of the pause.
func (p *pauses[K]) err(key K, providerID string, now time.Time) error {
	p.mu.Lock()
	last, ok := p.m.Get(key)
	p.mu.Unlock()
	left := last.until.Sub(now)
	if !ok || left <= 0 {
		return nil
	}
	if errors.Is(last.err, provider.ErrMisconfigured) || errors.Is(last.err, ErrLoginNeeded) {
		return last.err
	}
	return &provider.UnreachableError{
		Provider: providerID, Endpoint: "token", Reason: "the last renewal failed; the next is not due yet", RetryAfter: left,
	}
}

// resting is why a provider is asked nothing at the moment; nil when it may be, or is none.
func resting(p *provider.Provider) error {
	if p == nil {
		return nil
	}
	return p.RefreshBlocked()
}
