package renewal

import (
	"errors"
	"sync"
	"time"

	"github.com/hashicorp/golang-lru/v2/simplelru"

	"github.com/cloakroom/cloakroom/provider"
	"github.com/cloakroom/cloakroom/resilience"
)

// maxPauses bounds the memory that failures can take. A key that is forgotten may try again early;
// the provider's circuit breaker still limits it.
const maxPauses = 1 << 16

// A pause follows failed renewals of a session or grants of a client token.
type pause struct {
	until    time.Time
	failures int
	err      error // the last one
}

// pauses keep keys whose renewals failed from trying again at once.
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

// failed records a failure and starts a pause for key. Each pause is longer than the one before,
// with jitter, and never shorter than Retry-After. If the provider was not even asked, there is no
// pause, so that key may try as soon as the provider is asked again.
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

// hold keeps key from trying until a moment. err is the reason.
func (p *pauses[K]) hold(key K, until time.Time, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.m.Add(key, pause{until: until, err: err})
}

// clear forgets the failures of key.
func (p *pauses[K]) clear(key K) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.m.Remove(key)
}

// err returns why key may not try now, nil if it may. It returns the error itself if the provider
// refuses this client or wants a login; any other error becomes an UnreachableError for the rest of
// the pause.
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
		Provider: providerID, Endpoint: "token",
		Reason: "the last renewal failed; the next is not due yet", RetryAfter: left,
	}
}

// blocked returns why the provider may not be asked at the moment, nil if it may or if p is nil.
func blocked(p *provider.Provider) error {
	if p == nil {
		return nil
	}
	return p.RefreshBlocked()
}
