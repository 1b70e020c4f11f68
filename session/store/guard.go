package store

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/sony/gobreaker/v2"

	"github.com/cloakroom/cloakroom/resilience"
	"github.com/cloakroom/cloakroom/session/storage"
)

// callTime is how long a call may take, so that a request that needs one is answered within two
// seconds.
const callTime = time.Second

// errOpen is the answer while the circuit breaker is open: no call is made, so that requests don't
// queue up for a store that does not answer.
var errOpen = fmt.Errorf(
	"the store has failed several times in a row and is left alone for a moment: %w",
	storage.ErrNotAsked,
)

// Guard puts a time-out and a circuit breaker in front of a store that is reached over a network.
// Without them, requests would wait for a server that hangs until memory runs out. The Feed is not
// guarded: a listener runs for long, and detects by itself that the feed is broken.
func Guard(s storage.Store, log *slog.Logger, metrics prometheus.Registerer) storage.Store {
	g := &guard{
		store: s,
		seconds: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name:    "cloakroom_store_seconds",
			Help:    "Time of calls to the session store, by operation.",
			Buckets: []float64{.0002, .0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1},
		}, []string{"operation"}),
		failures: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "cloakroom_store_failures_total",
			Help: "Calls to the session store without an answer, by operation; " +
				"those not made while it rests among them.",
		}, []string{"operation"}),
	}
	openTime := resilience.Store.Pauses().First()
	g.breaker = gobreaker.NewCircuitBreaker[struct{}](gobreaker.Settings{
		Name: "session store", MaxRequests: 1, Timeout: openTime,
		ReadyToTrip: func(c gobreaker.Counts) bool {
			return int(c.ConsecutiveFailures) >= resilience.Store.Failures()
		},
		IsSuccessful: isAnswer,
		IsExcluded:   func(err error) bool { return errors.Is(err, errCanceled) },
		OnStateChange: func(_ string, _, to gobreaker.State) {
			switch to {
			case gobreaker.StateOpen:
				log.Warn("session store does not answer; it is asked again from time to time",
					"every", openTime.String())
			case gobreaker.StateClosed:
				log.Info("session store answers again")
			}
		},
	})
	if metrics != nil {
		metrics.MustRegister(g.seconds, g.failures)
	}
	return storage.Store{
		Records: g, Finder: g, Outbox: g, Leases: g, Marks: g, Connection: g, Feed: s.Feed,
	}
}

// A guard implements all parts of a storage.Store by calling another store.
type guard struct {
	store    storage.Store
	breaker  *gobreaker.CircuitBreaker[struct{}]
	seconds  *prometheus.HistogramVec
	failures *prometheus.CounterVec
}

// errCanceled marks an error that says nothing of the store: the caller canceled the call.
var errCanceled = errors.New("the caller went away")

// isAnswer reports whether the store did what it was asked, or said why it did not.
func isAnswer(err error) bool {
	return err == nil || errors.Is(err, storage.ErrNotFound) ||
		errors.Is(err, storage.ErrConflict) || errors.Is(err, storage.ErrExists)
}

// call makes one call, unless the circuit breaker is open.
func (g *guard) call(ctx context.Context, operation string, do func(context.Context) error) error {
	_, err := g.breaker.Execute(func() (struct{}, error) {
		began := time.Now()
		limited, cancel := context.WithTimeout(ctx, callTime)
		defer cancel()
		err := do(limited)
		g.seconds.WithLabelValues(operation).Observe(time.Since(began).Seconds())
		if !isAnswer(err) && errors.Is(ctx.Err(), context.Canceled) {
			err = fmt.Errorf("%w: %w", errCanceled, err)
		}
		return struct{}{}, err
	})
	if errors.Is(err, gobreaker.ErrOpenState) || errors.Is(err, gobreaker.ErrTooManyRequests) {
		err = errOpen
	}
	if !isAnswer(err) {
		g.failures.WithLabelValues(operation).Inc()
	}
	return err
}

// query is call for operations that return a value.
func query[T any](
	ctx context.Context, g *guard, operation string, do func(context.Context) (T, error),
) (answer T, err error) {
	err = g.call(ctx, operation, func(ctx context.Context) (err error) {
		answer, err = do(ctx)
		return err
	})
	return answer, err
}

// Create implements storage.Records.
func (g *guard) Create(ctx context.Context, e storage.Entry) error {
	return g.call(ctx, "create", func(ctx context.Context) error {
		return g.store.Records.Create(ctx, e)
	})
}

// Load implements storage.Records.
func (g *guard) Load(ctx context.Context, name string) (storage.Entry, error) {
	return query(ctx, g, "load", func(ctx context.Context) (storage.Entry, error) {
		return g.store.Records.Load(ctx, name)
	})
}

// Update implements storage.Records.
func (g *guard) Update(ctx context.Context, e storage.Entry) error {
	return g.call(ctx, "update", func(ctx context.Context) error {
		return g.store.Records.Update(ctx, e)
	})
}

// Touch implements storage.Records.
func (g *guard) Touch(ctx context.Context, name string, lastActive, idleExpires time.Time) error {
	return g.call(ctx, "touch", func(ctx context.Context) error {
		return g.store.Records.Touch(ctx, name, lastActive, idleExpires)
	})
}

// End implements storage.Records.
func (g *guard) End(ctx context.Context, name, reason string, at time.Time) error {
	return g.call(ctx, "end", func(ctx context.Context) error {
		return g.store.Records.End(ctx, name, reason, at)
	})
}

// EndExpired implements storage.Records. It also returns the names that were ended before a
// failure.
func (g *guard) EndExpired(
	ctx context.Context, reason string, now time.Time, limit int,
) ([]string, error) {
	return query(ctx, g, "end_expired", func(ctx context.Context) ([]string, error) {
		return g.store.Records.EndExpired(ctx, reason, now, limit)
	})
}

// Find implements storage.Finder.
func (g *guard) Find(ctx context.Context, key string) ([]string, error) {
	return query(ctx, g, "find", func(ctx context.Context) ([]string, error) {
		return g.store.Finder.Find(ctx, key)
	})
}

// List implements storage.Finder.
func (g *guard) List(ctx context.Context, after string, limit int) ([]storage.Entry, error) {
	return query(ctx, g, "list", func(ctx context.Context) ([]storage.Entry, error) {
		return g.store.Finder.List(ctx, after, limit)
	})
}

// Count implements storage.Finder.
func (g *guard) Count(ctx context.Context) (int, error) {
	return query(ctx, g, "count", func(ctx context.Context) (int, error) {
		return g.store.Finder.Count(ctx)
	})
}

// Enqueue implements storage.Outbox.
func (g *guard) Enqueue(ctx context.Context, r storage.Revocation) error {
	return g.call(ctx, "enqueue", func(ctx context.Context) error {
		return g.store.Outbox.Enqueue(ctx, r)
	})
}

// Lease implements storage.Outbox.
func (g *guard) Lease(
	ctx context.Context, now time.Time, lease time.Duration, limit int,
) ([]storage.Revocation, error) {
	return query(ctx, g, "lease", func(ctx context.Context) ([]storage.Revocation, error) {
		return g.store.Outbox.Lease(ctx, now, lease, limit)
	})
}

// Retry implements storage.Outbox.
func (g *guard) Retry(
	ctx context.Context, id string, notBefore time.Time, lastError string,
) error {
	return g.call(ctx, "retry", func(ctx context.Context) error {
		return g.store.Outbox.Retry(ctx, id, notBefore, lastError)
	})
}

// Done implements storage.Outbox.
func (g *guard) Done(ctx context.Context, id string) error {
	return g.call(ctx, "done", func(ctx context.Context) error {
		return g.store.Outbox.Done(ctx, id)
	})
}

// Revocations implements storage.Outbox.
func (g *guard) Revocations(
	ctx context.Context, limit int,
) (page []storage.Revocation, pending int, err error) {
	err = g.call(ctx, "revocations", func(ctx context.Context) (err error) {
		page, pending, err = g.store.Outbox.Revocations(ctx, limit)
		return err
	})
	return page, pending, err
}

// MarkOnce implements storage.Marks.
func (g *guard) MarkOnce(ctx context.Context, key string, until time.Time) (bool, error) {
	return query(ctx, g, "mark", func(ctx context.Context) (bool, error) {
		return g.store.Marks.MarkOnce(ctx, key, until)
	})
}

// Marked implements storage.Marks.
func (g *guard) Marked(ctx context.Context, key string) (bool, error) {
	return query(ctx, g, "marked", func(ctx context.Context) (bool, error) {
		return g.store.Marks.Marked(ctx, key)
	})
}

// Keep implements storage.Marks.
func (g *guard) Keep(ctx context.Context, key string, sealed []byte, ttl time.Duration) error {
	return g.call(ctx, "keep", func(ctx context.Context) error {
		return g.store.Marks.Keep(ctx, key, sealed, ttl)
	})
}

// Take implements storage.Marks.
func (g *guard) Take(ctx context.Context, key string) ([]byte, error) {
	return query(ctx, g, "take", func(ctx context.Context) ([]byte, error) {
		return g.store.Marks.Take(ctx, key)
	})
}

// Acquire implements storage.Leases.
func (g *guard) Acquire(ctx context.Context, key, holder string, ttl time.Duration) (bool, error) {
	return query(ctx, g, "acquire", func(ctx context.Context) (bool, error) {
		return g.store.Leases.Acquire(ctx, key, holder, ttl)
	})
}

// Release implements storage.Leases.
func (g *guard) Release(ctx context.Context, key, holder string) error {
	return g.call(ctx, "release", func(ctx context.Context) error {
		return g.store.Leases.Release(ctx, key, holder)
	})
}

// Ping implements storage.Connection.
func (g *guard) Ping(ctx context.Context) (time.Time, error) {
	return query(ctx, g, "ping", g.store.Connection.Ping)
}

// Close implements storage.Connection.
func (g *guard) Close() error { return g.store.Connection.Close() }
