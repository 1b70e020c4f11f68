// Package revocation delivers the outbox: it revokes the tokens of ended sessions (RFC 7009),
// whatever the reason of the end. It also ends sessions that have expired.
//
// An item leaves the outbox only after the provider has answered. So a crash, a provider that is
// down or a store that fails delays a revocation but never loses one. The price is that a token may
// be revoked twice, which RFC 7009 §2.2 makes harmless. Only age ends the attempts: an item that
// could not be delivered within MaxAge is logged and dropped.
//
// Its weak point: at a provider without a revocation endpoint, tokens stay valid until they expire.
//
// The package knows nothing of HTTP requests or of how sessions are used.
package revocation

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/cloakroom/cloakroom/provider"
	"github.com/cloakroom/cloakroom/resilience"
	"github.com/cloakroom/cloakroom/session"
	"github.com/cloakroom/cloakroom/session/storage"
)

// Options are what a Worker needs. Durations that are zero get the default that is given with them.
type Options struct {
	Sessions  *session.Manager
	Outbox    storage.Outbox
	Providers map[string]*provider.Provider // by id; not changed
	// RevokeOnBackchannel says whether a logout at the provider (back- or front-channel) also
	// revokes a grant with offline_access. OIDC Back-Channel Logout §2.7 says that it should not;
	// false follows that.
	RevokeOnBackchannel bool

	Poll       time.Duration // how often the outbox is polled when nobody calls Wake; 1 s
	SweepEvery time.Duration // how often expired sessions are ended; 5 s
	Lease      time.Duration // how long an item is leased; longer than a delivery takes; 1 min
	// MaxAge is the time after the session's end when an item is dropped that was tried at least
	// once; 30 days.
	MaxAge time.Duration

	Now     func() time.Time      // nil: time.Now
	Logger  *slog.Logger          // nil: slog.Default
	Metrics prometheus.Registerer // nil: not registered
}

const (
	defaultLease = time.Minute

	storeTimeout = 5 * time.Second
	sweepBatch   = 200
	leaseBatch   = 64
	// maxLeases bounds one poll of the outbox. If a provider is down, the worker skips its items;
	// one poll can skip that many batches to find items of others.
	maxLeases = 16
)

// A Worker delivers the outbox. Several Workers, on several replicas, may share one store.
type Worker struct {
	o       Options
	metrics *metrics
	log     *slog.Logger
	wake    chan struct{}

	deliveries sync.WaitGroup
	bulkheads  map[string]*bulkhead // by provider id; the map does not change
}

// NewWorker makes a Worker. Run starts it.
func NewWorker(o Options) *Worker {
	setDefault(&o.Poll, resilience.OutboxLook.Pauses().First())
	setDefault(&o.SweepEvery, resilience.ExpirySweep.Pauses().First())
	setDefault(&o.Lease, defaultLease)
	// A client is not told how long a refresh token is valid. Common providers invalidate one that
	// was idle for thirty days, and nobody has used these since their session ended.
	setDefault(&o.MaxAge, resilience.Revocation.Within())
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Logger == nil {
		o.Logger = slog.Default()
	}
	w := &Worker{
		o: o, metrics: newMetrics(o.Metrics), log: o.Logger,
		wake: make(chan struct{}, 1), bulkheads: make(map[string]*bulkhead, len(o.Providers)),
	}
	for id := range o.Providers {
		w.bulkheads[id] = newBulkhead()
	}
	return w
}

func setDefault(d *time.Duration, value time.Duration) {
	if *d == 0 {
		*d = value
	}
}

// Wake makes the worker poll the outbox now. It never blocks. If the worker is not waiting, it
// polls once more afterwards.
func (w *Worker) Wake() {
	select {
	case w.wake <- struct{}{}:
	default:
	}
}

// Run works until ctx ends, and returns when everything that it started has ended. Deliveries under
// way are canceled; their items are due again when their lease is over.
func (w *Worker) Run(ctx context.Context) {
	var sweeper sync.WaitGroup
	sweeper.Go(func() { w.sweep(ctx) })
	defer w.deliveries.Wait()
	defer sweeper.Wait()

	outage := outage{log: w.log, what: "outbox can't be read"}
	for ctx.Err() == nil {
		err := w.poll(ctx)
		outage.note(ctx, err)
		w.sleep(ctx, resilience.OutboxLook.Pauses().From(w.o.Poll).After(outage.tries+1))
	}
}

// poll leases all items that are due and starts their deliveries.
func (w *Worker) poll(ctx context.Context) error {
	defer w.countPending(ctx)
	if err := w.knowTime(ctx); err != nil {
		return err
	}
	for range maxLeases {
		until := w.o.Now().Add(w.o.Lease)
		items, err := w.lease(ctx)
		if err != nil {
			return err
		}
		for _, item := range items {
			w.take(ctx, item, until)
		}
		if len(items) < leaseBatch {
			return nil
		}
	}
	w.Wake()
	return nil
}

// knowTime returns nil once the time is known. With a wrong clock, an item might seem too old, or
// be leased for days.
func (w *Worker) knowTime(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, storeTimeout)
	defer cancel()
	return w.o.Sessions.Know(ctx)
}

func (w *Worker) lease(ctx context.Context) ([]storage.Revocation, error) {
	ctx, cancel := context.WithTimeout(ctx, storeTimeout)
	defer cancel()
	return w.o.Outbox.Lease(ctx, w.o.Now(), w.o.Lease, leaseBatch)
}

func (w *Worker) countPending(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, storeTimeout)
	defer cancel()
	if _, pending, err := w.o.Outbox.Revocations(ctx, 1); err == nil {
		w.metrics.pending.Set(float64(pending))
	}
}

// sweep ends expired sessions, in batches, so that their tokens are revoked, too.
func (w *Worker) sweep(ctx context.Context) {
	outage := outage{log: w.log, what: "expired sessions can't be ended"}
	for ctx.Err() == nil {
		err := w.endExpired(ctx)
		outage.note(ctx, err)
		pauses := resilience.ExpirySweep.Pauses().From(w.o.SweepEvery)
		resilience.Sleep(ctx, pauses.After(outage.tries+1))
	}
}

func (w *Worker) endExpired(ctx context.Context) error {
	for {
		once, cancel := context.WithTimeout(ctx, storeTimeout)
		n, err := w.o.Sessions.EndExpired(once, sweepBatch)
		cancel()
		if n > 0 {
			w.Wake()
		}
		if err != nil || n < sweepBatch {
			return err
		}
	}
}

// sleep waits for d, until ctx ends, or until somebody calls Wake.
func (w *Worker) sleep(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-w.wake:
	case <-ctx.Done():
	}
}
