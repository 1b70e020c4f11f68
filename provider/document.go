package provider

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"github.com/cloakroom/cloakroom/resilience"
)

// documentMaxAge is after what time a document is fetched anew, behind the caller.
const documentMaxAge = time.Hour

// A document is something the provider publishes: fetched when first needed, by one fetch for all
// who wait, and kept. A good one is replaced by a good one only (MD8). A fetch that failed is
// remembered for a moment, so that requests fail fast and a provider that is down is left alone.
type document[T any] struct {
	provider, name string
	fetch          func(context.Context) (T, error)
	now            func() time.Time // this process's own
	logger         *slog.Logger
	flight         resilience.Flight[fetched[T]]

	mu         sync.Mutex // guards all below; never held across I/O
	value      T
	generation int // how many good ones there have been; 0: value is not known
	fetched    time.Time
	failures   int // since the last good one
	failure    error
	notBefore  time.Time // after a failure: when to ask again
	fetching   bool      // there is a flight to join
}

// A fetched is what one fetch has brought.
type fetched[T any] struct {
	value      T
	generation int
}

func newDocument[T any](o Options, provider, name string, fetch func(context.Context) (T, error)) *document[T] {
	return &document[T]{provider: provider, name: name, fetch: fetch, now: o.Now, logger: o.Logger}
}

// peek is the document as known, without I/O.
func (d *document[T]) peek() (T, bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.value, d.generation > 0
}

// get is the document. It waits only where there is none yet.
func (d *document[T]) get(ctx context.Context) (T, error) {
	if value, generation := d.Known(ctx); generation > 0 {
		return value, nil
	}
	value, _, err := d.Newer(ctx, 0, func(time.Time) bool { return true })
	return value, err
}

// Known is the document as last fetched, and its generation; 0 means that there is none yet. An old one is
// fetched anew behind the caller.
func (d *document[T]) Known(ctx context.Context) (T, int) {
	d.mu.Lock()
	defer d.mu.Unlock()
	now := d.now()
	if d.generation > 0 && now.Sub(d.fetched) >= documentMaxAge && !d.paused(now) {
		d.join(ctx)
	}
	return d.value, d.generation
}

// paused reports whether the provider is left alone after a failure. d.mu is held.
func (d *document[T]) paused(now time.Time) bool {
	return d.failure != nil && now.Before(d.notBefore)
}

// Newer is a document of a later generation than the one given: the one there is, or one that is
// fetched now. Where allow does not let a fetch begin, the generation is not later. While there is no
// document at all, a fetch that failed a moment ago is not repeated.
func (d *document[T]) Newer(ctx context.Context, than int, allow func(time.Time) bool) (T, int, error) {
	d.mu.Lock()
	now := d.now()
	switch {
	case d.generation > than, !d.fetching && !allow(now):
		defer d.mu.Unlock()
		return d.value, d.generation, nil
	case !d.fetching && d.generation == 0 && d.paused(now):
		defer d.mu.Unlock()
		return d.value, 0, remembered(d.failure, d.notBefore.Sub(now))
	}
	wait := d.join(ctx)
	d.mu.Unlock()
	f, err := wait(ctx)
	if ctx.Err() != nil && errors.Is(err, context.Cause(ctx)) {
		err = &UnreachableError{Provider: d.provider, Endpoint: d.name, Reason: "the caller did not wait", Err: ctx.Err()}
	}
	return f.value, f.generation, err
}

// join begins a fetch where none is under way. The fetch outlives ctx: others wait for it, too. d.mu is held.
func (d *document[T]) join(ctx context.Context) (wait func(context.Context) (fetched[T], error)) {
	d.fetching = true
	ctx = context.WithoutCancel(ctx)
	return d.flight.Start(func() (fetched[T], error) { return d.run(ctx) })
}

func (d *document[T]) run(ctx context.Context) (fetched[T], error) {
	value, err := d.fetch(ctx)
	d.mu.Lock()
	defer d.mu.Unlock()
	d.fetching = false
	d.flight.Forget()
	if err != nil {
		d.failed(err)
	} else {
		d.value, d.fetched, d.failures, d.failure = value, d.now(), 0, nil
		d.generation++
	}
	return fetched[T]{value, d.generation}, err
}

// failed notes the failure and how long to leave the provider alone. d.mu is held.
func (d *document[T]) failed(err error) {
	d.failures++
	retry := resilience.MetadataRefetch
	if d.generation == 0 {
		retry = resilience.MetadataFetch
	}
	pause := retry.Pauses().After(d.failures)
	d.failure, d.notBefore = err, d.now().Add(pause)
	d.logger.Warn("provider's document could not be fetched", "provider", d.provider, "document", d.name,
		"error", err, "known", d.generation > 0, "again_in", pause)
}

// remembered is the failure of an earlier fetch, with the time left until the next.
func remembered(err error, left time.Duration) error {
	var u *UnreachableError
	if errors.As(err, &u) {
		again := *u
		again.RetryAfter = max(left, u.RetryAfter)
		return &again
	}
	return err
}
