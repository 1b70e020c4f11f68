// Package revocation delivers the outbox: it revokes the tokens of sessions that ended (RFC 7009),
// whichever way they ended, and ends those that ran out.
//
// An item leaves the outbox only after the provider has answered, so a crash, a provider that is down
// or a store that fails delay a revocation and never lose one; the price is that a token may be revoked
// twice, which RFC 7009 §2.2 makes harmless. The last resort is age: what was tried, and could not
// be delivered in MaxAge, is reported and dropped.
//
// Its weak point: what a provider without revocation endpoint has issued lives there until it runs out.
//
// It knows nothing of HTTP requests or of how sessions are used.
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

// Options are what a Worker needs. Zero durations and counts mean the defaults named.
type Options struct {
	Sessions  *session.Manager
	Outbox    storage.Outbox
	Providers map[string]*provider.Provider // by id; not changed
	// RevokeOnBackchannel says whether a logout at the provider (back- or front-channel) revokes a grant
	// with offline_access too. OIDC Back-Channel Logout §2.7 says it should not; false follows that.
	RevokeOnBackchannel bool

	Poll       time.Duration // how often the outbox is looked at when nobody wakes the worker; 1 s
	SweepEvery time.Duration // how often expired sessions are ended; 5 s
	Lease      time.Duration // how long an item is this worker's; longer than a delivery takes; 1 min
	MaxAge     time.Duration // since the session's end, after which an item is dropped that was tried once; 30 days

	Now     func() time.Time      // nil: time.Now
	Logger  *slog.Logger          // nil: slog.Default
	Metrics prometheus.Registerer // nil: not registered
}

const (
	defaultLease = time.Minute

	storeTimeout = 5 * time.Second
	sweepBatch   = 200
	leaseBatch   = 64
	// maxLeases bounds one look at the outbox. A provider that is down makes the worker skip its items;
	// this many batches of them are passed over in one go to find another's.
	maxLeases = 16
)

// A Worker delivers the outbox. Several, on several replicas, may share one store.
type Worker struct {
	o       Options
	metrics *metrics
	log     *slog.Logger
	wake    chan struct{}

	deliveries sync.WaitGroup
	bulkheads  map[string]*bulkhead // by provider id; the map does not change
}

// NewWorker makes a Worker; Run makes it work.
func NewWorker(o Options) *Worker {
	setDefault(&o.Poll, resilience.OutboxLook.Pauses().First())
	setDefault(&o.SweepEvery, resilience.ExpirySweep.Pauses().First())
	setDefault(&o.Lease, defaultLease)
	// Nobody tells a client how long a refresh token lives. Thirty days is what common providers give
	// an idle one, and nobody has used these since their session ended.
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

// Wake has the outbox looked at now. It never blocks; waking a Worker that does not run is remembered.
func (w *Worker) Wake() {
	select {
	case w.wake <- struct{}{}:
	default:
	}
}

// Run works until ctx ends, and returns when nothing it started is left. Deliveries under way are cut;
// their items become due again when their lease is over.
func (w *Worker) Run(ctx context.Context) {
	var sweeper sync.WaitGroup
	sweeper.Go(func() { w.sweep(ctx) })
	defer w.deliveries.Wait()
	defer sweeper.Wait()

	outage := outage{log: w.log, what: "outbox can't be read"}
	for ctx.Err() == nil {
		err := w.look(ctx)
		outage.note(ctx, err)
		w.sleep(ctx, resilience.OutboxLook.Pauses().From(w.o.Poll).After(outage.tries+1))
	}
}

// look leases what is due and starts its delivery, until nothing more is due.
func (w *Worker) look(ctx context.Context) error {
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

// knowTime is nil once it is known what time it is: by a clock that is wrong an item may be too old, or be leased until
// another day.
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

// sweep ends what ran out, in batches, so that expired sessions' tokens are revoked too.
func (w *Worker) sweep(ctx context.Context) {
	outage := outage{log: w.log, what: "expired sessions can't be ended"}
	for ctx.Err() == nil {
		err := w.endExpired(ctx)
		outage.note(ctx, err)
		resilience.Sleep(ctx, resilience.ExpirySweep.Pauses().From(w.o.SweepEvery).After(outage.tries+1))
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

// sleep waits for d, for ctx's end, or until somebody wakes the worker.
func (w *Worker) sleep(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-w.wake:
	case <-ctx.Done():
	}
}
