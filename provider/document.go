package provider

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"github.com/cloakroom/cloakroom/resilience"
)

// documentMaxAge is the age at which a document is fetched again, in the background.
const documentMaxAge = time.Hour

// A document is something that the provider publishes. It is fetched when first needed, by one
// fetch for all who wait, and kept. Only a good document replaces a good one (MD8). After a fetch
// has failed, none is made for a moment: callers get that failure at once, and the provider is
// spared.
type document[T any] struct {
	provider, name string
	fetch          func(context.Context) (T, error)
	now            func() time.Time // this process's own clock
	logger         *slog.Logger
	flight         resilience.Flight[fetched[T]]
	closing        context.Context // done once close was called
	stop           context.CancelFunc

	mu         sync.Mutex // guards all below; never held across I/O
	value      T
	generation int // number of good documents so far; 0: value is not known
	fetched    time.Time
	failures   int // since the last good document
	failure    error
	notBefore  time.Time // after a failure: when the next fetch may start
	fetching   bool      // a fetch is under way
}

// A fetched is the result of one fetch.
type fetched[T any] struct {
	value      T
	generation int
}

func newDocument[T any](
	o Options, provider, name string, fetch func(context.Context) (T, error),
) *document[T] {
	d := &document[T]{provider: provider, name: name, fetch: fetch, now: o.Now, logger: o.Logger}
	d.closing, d.stop = context.WithCancel(context.Background())
	return d
}

// close ends the fetch under way and waits for it. A fetch that starts later fails at once.
func (d *document[T]) close() {
	d.stop()
	d.mu.Lock()
	if !d.fetching {
		d.mu.Unlock()
		return
	}
	wait := d.join(context.Background())
	d.mu.Unlock()
	_, _ = wait(context.Background()) // its callers get the error
}

// peek returns the document, and whether it is known. It does no I/O.
func (d *document[T]) peek() (T, bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.value, d.generation > 0
}

// get returns the document. It waits only if none is known.
func (d *document[T]) get(ctx context.Context) (T, error) {
	if value, generation := d.Known(ctx); generation > 0 {
		return value, nil
	}
	value, _, err := d.Newer(ctx, 0, func(time.Time) bool { return true })
	return value, err
}

// Known returns the document as last fetched and its generation; 0 means that there is none yet. A
// document that is too old is fetched again in the background.
func (d *document[T]) Known(ctx context.Context) (T, int) {
	d.mu.Lock()
	defer d.mu.Unlock()
	now := d.now()
	if d.generation > 0 && now.Sub(d.fetched) >= documentMaxAge && !d.paused(now) {
		d.join(ctx)
	}
	return d.value, d.generation
}

// paused reports whether no fetch may start yet, after one has failed. d.mu is held.
func (d *document[T]) paused(now time.Time) bool {
	return d.failure != nil && now.Before(d.notBefore)
}

// Newer returns a document of a later generation than the given one: the known document, or else
// one that is fetched now. If allow forbids the fetch, it returns the known document with its
// generation. While no document is known at all, a fetch that failed a moment ago is not repeated.
func (d *document[T]) Newer(
	ctx context.Context, than int, allow func(time.Time) bool,
) (T, int, error) {
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
		err = &UnreachableError{
			Provider: d.provider, Endpoint: d.name, Reason: "the caller did not wait", Err: ctx.Err(),
		}
	}
	return f.value, f.generation, err
}

// join starts a fetch if none is under way. The fetch does not stop when ctx ends, since others may
// wait for it, but only at close. d.mu is held.
func (d *document[T]) join(ctx context.Context) (wait func(context.Context) (fetched[T], error)) {
	d.fetching = true
	ctx = context.WithoutCancel(ctx)
	return d.flight.Start(func() (fetched[T], error) { return d.run(ctx) })
}

func (d *document[T]) run(ctx context.Context) (fetched[T], error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(d.closing, cancel)()
	value, err := d.fetch(ctx)
	d.mu.Lock()
	defer d.mu.Unlock()
	d.fetching = false
	d.flight.Forget()
	switch {
	case err == nil:
		d.value, d.fetched, d.failures, d.failure = value, d.now(), 0, nil
		d.generation++
	case d.closing.Err() == nil: // otherwise close may be the cause
		d.failed(err)
	}
	return fetched[T]{value, d.generation}, err
}

// failed records a failure and when the next fetch may start. d.mu is held.
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

// remembered returns the error of an earlier fetch, with the time left until the next one.
func remembered(err error, left time.Duration) error {
	var u *UnreachableError
	if errors.As(err, &u) {
		again := *u
		again.RetryAfter = max(left, u.RetryAfter)
		return &again
	}
	return err
}
