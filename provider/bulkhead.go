package provider

import (
	"context"
	"sync"
	"time"

	"golang.org/x/sync/semaphore"

	"github.com/cloakroom/cloakroom/resilience"
)

// A bulkhead holds what one kind of token request has to itself: slots and a circuit breaker.
// Renewals have connections of their own, too. Anybody can send a code that they made up, and any
// visitor can call a route that uses this service's own token. If these requests shared anything
// with renewals, a stranger could have them fail, hang or be rate-limited, and so hold up every
// user.
//
// Its weak point is the provider: one that limits this client as a whole limits renewals as well.
type bulkhead struct {
	client  *caller
	breaker *breaker
	slots   *semaphore.Weighted
}

func newBulkhead(c *caller, now func() time.Time) *bulkhead {
	slots := semaphore.NewWeighted(int64(resilience.TokenRequests.Places()))
	return &bulkhead{client: c, breaker: &breaker{now: now}, slots: slots}
}

// inSlot runs request in one of the bulkhead's slots (RN14). A slow request goes on, since its
// token may be used up, but it gives up its slot: a provider that hung and has recovered answers
// new requests at once, and perhaps never those that it hung on.
func (b *bulkhead) inSlot(
	ctx context.Context, request func() (*TokenResponse, error),
) (*TokenResponse, error) {
	if err := b.slots.Acquire(ctx, 1); err != nil {
		return nil, b.client.unreachable(endpointToken, "too many token requests are under way", err)
	}
	free := sync.OnceFunc(func() { b.slots.Release(1) })
	defer free()
	slow := time.AfterFunc(resilience.TokenRequests.Slow(), func() {
		free()
		b.breaker.abandon()
	})
	defer slow.Stop()
	return request()
}

// blocked returns the error of a request that must not be sent now; nil if it may be sent. It does
// not make that request the breaker's probe.
func (b *bulkhead) blocked() error {
	wait, ok := b.breaker.allows()
	return b.errorUnless(ok, wait)
}

// enter is blocked for a caller that sends a request next and reports its outcome to the breaker.
func (b *bulkhead) enter() error {
	wait, ok := b.breaker.enter()
	return b.errorUnless(ok, wait)
}

func (b *bulkhead) errorUnless(ok bool, wait time.Duration) error {
	if ok {
		return nil
	}
	reason := "nothing is sent for a moment, since requests have failed"
	e := b.client.unreachable(endpointToken, reason, nil)
	e.RetryAfter, e.NotAsked = wait, true
	return e
}
