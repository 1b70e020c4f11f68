// Package revocation delivers the outbox: it revokes the tokens of ended sessions at their providers
// (RFC 7009), and ends the sessions whose time is up, so that theirs are revoked too.
//
// Workers run on any replica; a lease in the store keeps an item with one of them at a time, and
// revoking twice harms nothing. A provider that is down delays a delivery and never loses one: an
// item goes only when its tokens are revoked, can't be, or would have died anyway.
package revocation

import (
	"context"
	"log/slog"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/cloakroom/cloakroom/provider"
	"github.com/cloakroom/cloakroom/session"
)

const (
	batch      = 64
	inFlight   = 8                // deliveries at once, per provider
	maxWaiting = 512              // deliveries that are under way or wait for their provider's turn
	patience   = 20 * time.Second // how long they wait; then their lease runs out and they are found again
	lease      = time.Minute      // longer than a delivery can take
	poll       = time.Second      // how soon an item is found that nobody woke us for
	sweepEvery = 5 * time.Second  // how late an expired session may be ended
	sweepBatch = 500              // in one transaction
	firstRetry = 2 * time.Second  // doubled each time, with jitter
	maxRetry   = 10 * time.Minute // between two attempts
	// lastResort is when a refresh token that nobody could revoke is taken for dead: providers let
	// unused ones die in days or weeks.
	lastResort = 30 * 24 * time.Hour
)

// Options are what a Worker needs.
type Options struct {
	Sessions  *session.Manager
	Providers map[string]*provider.Provider // by configured id
	// RevokeOnBackchannel says whether a back-channel logout revokes `offline_access` refresh tokens
	// too. OIDC Back-Channel Logout §2.7 would leave them; who uses them for a browser's session wants them gone.
	RevokeOnBackchannel bool
	Now                 func() time.Time // nil: time.Now
	Logger              *slog.Logger
	Metrics             prometheus.Registerer
}

// A Worker delivers the outbox until its context ends.
type Worker struct {
	Options
	wake    chan struct{}
	all     chan struct{} // bounds deliveries of every provider together
	metrics *metrics

	mu    sync.Mutex               // guards slots
	slots map[string]chan struct{} // by provider, so that a slow one holds up its own items alone
}

// NewWorker returns a Worker; Run it.
func NewWorker(o Options) *Worker {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	return &Worker{
		Options: o, wake: make(chan struct{}, 1), all: make(chan struct{}, maxWaiting), slots: map[string]chan struct{}{},
		metrics: newMetrics(o.Metrics, o.Sessions.Outbox(), o.Now),
	}
}

// Wake says that there is something to deliver now. It never blocks.
func (w *Worker) Wake() {
	select {
	case w.wake <- struct{}{}:
	default:
	}
}

// Run delivers and sweeps until ctx ends, and returns when deliveries under way are done.
func (w *Worker) Run(ctx context.Context) {
	var deliveries sync.WaitGroup
	defer deliveries.Wait()
	tick := time.NewTicker(poll)
	defer tick.Stop()
	sweep := time.NewTicker(sweepEvery)
	defer sweep.Stop()
	for {
		w.deliverDue(ctx, &deliveries)
		select {
		case <-ctx.Done():
			return
		case <-w.wake:
		case <-tick.C:
		case <-sweep.C:
			w.sweep(ctx)
		}
	}
}

// sweep ends what expired, batch after batch.
func (w *Worker) sweep(ctx context.Context) {
	for ctx.Err() == nil {
		n, err := w.Sessions.EndExpired(ctx, sweepBatch)
		if err != nil {
			w.Logger.WarnContext(ctx, "expired sessions are not swept", "error", err)
		}
		if n < sweepBatch || err != nil {
			return
		}
	}
}

// deliverDue leases what is due and sends it off.
func (w *Worker) deliverDue(ctx context.Context, deliveries *sync.WaitGroup) {
	for ctx.Err() == nil {
		due, err := w.Sessions.Outbox().Lease(ctx, w.Now(), lease, batch)
		if err != nil {
			if ctx.Err() == nil {
				w.Logger.WarnContext(ctx, "the revocation outbox can't be read", "error", err)
			}
			return
		}
		for _, item := range due {
			select {
			case w.all <- struct{}{}:
			default:
				return // enough under way; what was leased is found again when its lease runs out
			}
			deliveries.Go(func() {
				defer func() { <-w.all }()
				w.inTurn(ctx, item)
			})
		}
		if len(due) < batch {
			return
		}
	}
}

// inTurn delivers an item when its provider has a slot free.
func (w *Worker) inTurn(ctx context.Context, item session.Revocation) {
	slots := w.slotsOf(item.Provider)
	giveUp := time.NewTimer(patience)
	defer giveUp.Stop()
	select {
	case slots <- struct{}{}:
		defer func() { <-slots }()
		w.deliver(ctx, item)
	case <-giveUp.C:
	case <-ctx.Done():
	}
}

func (w *Worker) slotsOf(providerID string) chan struct{} {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.slots[providerID] == nil {
		w.slots[providerID] = make(chan struct{}, inFlight)
	}
	return w.slots[providerID]
}

// settle writes what a delivery came to. The work at the provider is done by then, so it is written
// even when the worker is told to stop.
func (w *Worker) settle(ctx context.Context, item session.Revocation, o outcome, retryIn time.Duration, cause error) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
	defer cancel()
	w.metrics.total.WithLabelValues(item.Provider, string(o)).Inc()
	var err error
	if o == retry || o == waiting {
		note := "a newer session holds the same grant"
		if cause != nil {
			note = cause.Error()
		}
		err = w.Sessions.Outbox().Retry(ctx, item.ID, w.Now().Add(retryIn), note)
	} else {
		err = w.Sessions.Outbox().Done(ctx, item.ID)
	}
	if err != nil {
		w.Logger.WarnContext(ctx, "outcome of a revocation is not noted; it will be delivered again", "item", short(item.ID), "error", err)
	}
	if cause != nil {
		w.Logger.WarnContext(ctx, "tokens of an ended session are not revoked", "item", short(item.ID), "provider", item.Provider,
			"outcome", o, "attempts", item.Attempts+1, "error", cause)
	}
}

// backoff is how long to wait after so many attempts: doubled each time, with jitter, so that a
// provider that comes back is not trampled.
func backoff(attempts int) time.Duration {
	d := min(firstRetry<<min(attempts, 12), maxRetry)
	return time.Duration(float64(d) * (0.5 + rand.Float64()))
}

// short is enough of an id to find a line by.
func short(id string) string { return id[:min(len(id), 16)] }
