package provider

import (
	"math/rand/v2"
	"sync"
	"time"

	"github.com/cloakroom/cloakroom/resilience"
)

// A breaker is the circuit breaker of one bulkhead. It holds requests back from a token endpoint
// that fails, so that the endpoint is not overloaded when it recovers (RN14). It opens at the
// second failure in a row, since one lost answer is no outage, or at the first one with
// Retry-After. When its pause is over, it lets one request through as a probe.
//
// gobreaker does not fit: its pause is fixed, while this one grows and obeys Retry-After. It also
// ignores requests that finish after it has opened, while here a late answer shows that the
// provider has recovered.
type breaker struct {
	now func() time.Time

	mu       sync.Mutex // guards all below
	failures int        // in a row
	sent     uint64     // number of the last request
	stale    uint64     // failures of requests up to this number are ignored
	until    time.Time  // the end of the pause; before it nothing is sent
	asked    time.Time  // the end of the wait that Retry-After asked for
	probing  bool       // a probe is under way
}

// allows reports whether a request may be sent now, and if not, how long to wait. It changes
// nothing.
func (b *breaker) allows() (wait time.Duration, ok bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.probing {
		return resilience.TokenEndpoint.Pauses().First(), false
	}
	left := b.until.Sub(b.now())
	return left, left <= 0
}

// enter is allows for a caller that sends a request next; that request may become the probe. The
// caller must then call succeed, fail or abandon.
func (b *breaker) enter() (wait time.Duration, ok bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.until.IsZero() {
		return 0, true
	}
	if left := b.until.Sub(b.now()); left > 0 {
		return left, false
	}
	if b.probing {
		return resilience.TokenEndpoint.Pauses().First(), false
	}
	b.probing = true
	return 0, true
}

// begin returns the number of a request that is about to be sent.
func (b *breaker) begin() (number uint64) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.sent++
	return b.sent
}

// succeed records an answer, whatever it said. It does not shorten a pause that another answer
// asked for with Retry-After while this request was under way.
func (b *breaker) succeed(number uint64) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.failures, b.probing = 0, false
	if !b.now().Before(b.asked) {
		b.until = time.Time{}
	}
	b.stale = max(b.stale, number)
}

// abandon records a request that tells nothing about the provider: its caller went away, or it
// takes too long to wait for.
func (b *breaker) abandon() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.probing = false
}

// fail records a temporary failure. asked is the answer's Retry-After; 0 if it had none. Failures
// of requests that were under way when the breaker opened, or when a later request was answered,
// are ignored: a process that was frozen or cut off from the network sees many of them, one after
// the other.
func (b *breaker) fail(number uint64, asked time.Duration) {
	b.mu.Lock()
	defer b.mu.Unlock()
	now := b.now()
	if asked == 0 && (number <= b.stale || now.Before(b.until)) {
		return
	}
	b.probing = false
	b.failures++
	enough := resilience.TokenEndpoint.Failures()
	if b.failures < enough && asked == 0 {
		return
	}
	b.stale = b.sent
	b.pause(now.Add(resilience.TokenEndpoint.Pauses().After(b.failures - enough + 1)))
	b.obey(now, asked)
}

// holdBack obeys Retry-After (0: there was none), without counting a failure.
func (b *breaker) holdBack(asked time.Duration) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.obey(b.now(), asked)
}

// obey pauses for as long as Retry-After asks, and a little longer at random. b.mu is held.
func (b *breaker) obey(now time.Time, asked time.Duration) {
	if asked <= 0 {
		return
	}
	if until := now.Add(asked); until.After(b.asked) {
		b.asked = until
	}
	b.pause(b.asked.Add(rand.N(resilience.TokenEndpoint.Pauses().First())))
}

// pause holds requests back until a moment. It never shortens a pause. b.mu is held.
func (b *breaker) pause(until time.Time) {
	if until.After(b.until) {
		b.until = until
	}
}
