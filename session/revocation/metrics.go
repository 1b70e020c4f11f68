package revocation

import (
	"context"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/cloakroom/cloakroom/session"
)

// An outcome says in a word what a delivery came to.
type outcome string

const (
	delivered     outcome = "delivered"
	retry         outcome = "retry"
	waiting       outcome = "waiting"        // for the newer session that holds the same grant
	givenUp       outcome = "failed"         // the provider will never revoke it
	notSupported  outcome = "not_supported"  // the provider has no revocation endpoint
	diedMeanwhile outcome = "died_meanwhile" // it could not be delivered in time; the token is dead by now
)

type metrics struct{ total *prometheus.CounterVec }

func newMetrics(reg prometheus.Registerer, outbox session.Store, now func() time.Time) *metrics {
	m := &metrics{prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "cloakroom_revocations_total", Help: "Deliveries of the revocation outbox, by outcome.",
	}, []string{"provider", "outcome"})}
	if reg != nil {
		reg.MustRegister(m.total, pending(outbox, now))
	}
	return m
}

// pending asks the store how much is in the outbox, at most once a second.
func pending(outbox session.Store, now func() time.Time) prometheus.Collector {
	var (
		mu    sync.Mutex // guards the two below
		asked time.Time
		count float64
	)
	return prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "cloakroom_revocations_pending", Help: "Ended sessions whose tokens are not revoked yet.",
	}, func() float64 {
		mu.Lock()
		defer mu.Unlock()
		if now().Sub(asked) < time.Second {
			return count
		}
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		if _, n, err := outbox.Revocations(ctx, 0); err == nil {
			asked, count = now(), float64(n)
		}
		return count
	})
}
