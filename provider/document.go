package provider

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"
)

const (
	documentMaxAge  = time.Hour              // after it a document is fetched anew, behind the caller
	firstFetchPause = 500 * time.Millisecond // after a failed fetch; doubled by each further one
	longestPause    = 15 * time.Second       // so a provider that comes back is known again within it
	staleFetchPause = time.Minute            // after a failed fetch of a document that we still have
)

// A document is something the provider publishes: fetched when first needed, by one fetch for all
// who wait, and kept. A good one is replaced by a good one only (MD8). A fetch that failed is
// remembered for a moment, so that requests fail fast and a provider that is down is left alone.
type document[T any] struct {
	provider, name string
	fetch          func(context.Context) (T, error)
	now            func() time.Time // this process's own
	logger         *slog.Logger

	mu         sync.Mutex // guards all below; never held across I/O
	value      T
	generation int // how many good ones there have been; 0: value is not known
	fetched    time.Time
	failures   int // since the last good one
	failure    error
	notBefore  time.Time  // after a failure: when to ask again
	flight     *flight[T] // nil: nobody is fetching
}

// A flight is one fetch; value, generation and err are set before done is closed.
type flight[T any] struct {
	done       chan struct{}
	value      T
	generation int
	err        error
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
	case d.generation > than, d.flight == nil && !allow(now):
		defer d.mu.Unlock()
		return d.value, d.generation, nil
	case d.flight == nil && d.generation == 0 && d.paused(now):
		defer d.mu.Unlock()
		return d.value, 0, remembered(d.failure, d.notBefore.Sub(now))
	}
	f := d.join(ctx)
	d.mu.Unlock()
	return d.wait(ctx, f)
}

// join begins a fetch where none is under way. The fetch outlives ctx: others wait for it, too. d.mu is held.
func (d *document[T]) join(ctx context.Context) *flight[T] {
	if d.flight == nil {
		d.flight = &flight[T]{done: make(chan struct{})}
		go d.run(context.WithoutCancel(ctx), d.flight)
	}
	return d.flight
}

func (d *document[T]) run(ctx context.Context, f *flight[T]) {
	value, err := d.fetch(ctx)
	d.mu.Lock()
	defer d.mu.Unlock()
	d.flight = nil
	if err != nil {
		d.failed(err)
	} else {
		d.value, d.fetched, d.failures, d.failure = value, d.now(), 0, nil
		d.generation++
	}
	f.value, f.generation, f.err = value, d.generation, err
	close(f.done)
}

// failed notes the failure and how long to leave the provider alone. d.mu is held.
func (d *document[T]) failed(err error) {
	pause := staleFetchPause
	if d.generation == 0 {
		pause = min(firstFetchPause<<min(d.failures, 10), longestPause)
	}
	d.failures++
	d.failure, d.notBefore = err, d.now().Add(pause)
	d.logger.Warn("provider's document could not be fetched", "provider", d.provider, "document", d.name,
		"error", err, "known", d.generation > 0, "again_in", pause)
}

func (d *document[T]) wait(ctx context.Context, f *flight[T]) (T, int, error) {
	select {
	case <-f.done:
		return f.value, f.generation, f.err
	case <-ctx.Done():
		var none T
		return none, 0, &UnreachableError{Provider: d.provider, Endpoint: d.name, Reason: "the caller did not wait", Err: ctx.Err()}
	}
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
