package provider

import (
	"context"
	"sync"
	"time"

	"golang.org/x/sync/semaphore"

	"github.com/cloakroom/cloakroom/resilience"
)

// A bulkhead is what one kind of token requests has to itself at the provider: slots, and a
// memory of failures. Renewals have connections to themselves, too. Anybody can send a code that
// they made up, and a visitor can call a route that wants this service's own token; if those shared
// anything with renewals, a stranger who has them fail, hang or be limited would hold up every user.
//
// Its weak point is the provider: one that limits this client as a whole answers renewals like the rest.
type bulkhead struct {
	client  *caller
	breaker *breaker
	slots   *semaphore.Weighted
}

func newBulkhead(c *caller, now func() time.Time) *bulkhead {
	places := int64(resilience.TokenRequests.Places())
	return &bulkhead{client: c, breaker: &breaker{now: now}, slots: semaphore.NewWeighted(places)}
}

// inSlot runs request as one of those that its bulkhead has places for (RN14). A slow one goes on,
// since its token may be spent, but holds nobody up any more: a provider that hung, and is well
// again, answers the next ones at once and these perhaps never.
func (b *bulkhead) inSlot(ctx context.Context, request func() (*TokenResponse, error)) (*TokenResponse, error) {
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

// resting says why nothing can be sent now; nil when it may be. It takes no part in the breaker's probing.
func (b *bulkhead) resting() error {
	wait, ok := b.breaker.closed()
	return b.unless(ok, wait)
}

// enter is resting for who sends a request next, and tells the breaker what became of it.
func (b *bulkhead) enter() error {
	wait, ok := b.breaker.enter()
	return b.unless(ok, wait)
}

func (b *bulkhead) unless(ok bool, wait time.Duration) error {
	if ok {
		return nil
	}
	e := b.client.unreachable(endpointToken, "it has failed and is left alone for a moment", nil)
	e.RetryAfter, e.NotAsked = wait, true
	return e
}
