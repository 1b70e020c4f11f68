package provider

import (
	"math/rand/v2"
	"sync"
	"time"

	"github.com/cloakroom/cloakroom/resilience"
)

// A breaker keeps the requests of one bulkhead away from a token endpoint that fails, so that it is not trampled when it
// comes back (RN14). One lost answer is no outage: it opens at the second failure in a row, or at the
// first that bears Retry-After. When its time is over it lets one request through to see.
//
// gobreaker can't do this: its open time is fixed, while this one's grows and obeys Retry-After; and
// it drops what requests report after it has opened, while here a late answer shows that the provider
// is back.
type breaker struct {
	now func() time.Time

	mu       sync.Mutex // guards all below
	failures int        // in a row
	sent     uint64     // requests so far, to number them
	news     uint64     // failures of requests up to this number don't count
	until    time.Time  // closed before it
	asked    time.Time  // until when the provider has asked to be left alone
	probing  bool       // the one request that looks whether the provider is back
}

// closed reports whether a request could be sent now, without sending one: it changes nothing.
func (b *breaker) closed() (wait time.Duration, ok bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.probing {
		return resilience.TokenEndpoint.Pauses().First(), false
	}
	left := b.until.Sub(b.now())
	return left, left <= 0
}

// enter says whether a request may be sent now; if not, how long to wait. Whoever entered must call
// succeed, fail or abandon.
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

// begin numbers a request that is about to be sent.
func (b *breaker) begin() (number uint64) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.sent++
	return b.sent
}

// succeed notes an answer, whatever it said. One that was under way when another bore Retry-After takes nothing of that
// back.
func (b *breaker) succeed(number uint64) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.failures, b.probing = 0, false
	if !b.now().Before(b.asked) {
		b.until = time.Time{}
	}
	b.news = max(b.news, number)
}

// abandon notes a request that came to no end of its own: its caller went away, or it takes too long to wait for.
func (b *breaker) abandon() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.probing = false
}

// fail notes a transient failure, and how long the provider asks to be left alone. Requests that were
// already under way when the breaker opened, or when one that was sent after them was answered, tell it nothing new: a
// process that was frozen, or cut off, wakes up to many of them, one after the other.
func (b *breaker) fail(number uint64, asked time.Duration) {
	b.mu.Lock()
	defer b.mu.Unlock()
	now := b.now()
	if asked == 0 && (number <= b.news || now.Before(b.until)) {
		return
	}
	b.probing = false
	b.failures++
	enough := resilience.TokenEndpoint.Failures()
	if b.failures < enough && asked == 0 {
		return
	}
	b.news = b.sent
	b.pause(now.Add(resilience.TokenEndpoint.Pauses().After(b.failures - enough + 1)))
	b.obey(now, asked)
}

// rest notes how long the provider asks to be left alone, 0 for not at all, and nothing else of a failure.
func (b *breaker) rest(asked time.Duration) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.obey(b.now(), asked)
}

// obey keeps requests back for as long as the provider asks. b.mu is held.
func (b *breaker) obey(now time.Time, asked time.Duration) {
	if asked <= 0 {
		return
	}
	if until := now.Add(asked); until.After(b.asked) {
		b.asked = until
	}
	b.pause(b.asked.Add(rand.N(resilience.TokenEndpoint.Pauses().First())))
}

// pause closes until a moment, or for longer if that was said already. b.mu is held.
func (b *breaker) pause(until time.Time) {
	if until.After(b.until) {
		b.until = until
	}
}
