package session

import (
	"context"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// metrics counts what happens to sessions. Labels are configured ids and our own reasons, never
// anything that a caller sent.
type metrics struct {
	started   *prometheus.CounterVec
	ended     *prometheus.CounterVec
	unrenewed *prometheus.CounterVec
}

func newMetrics(reg prometheus.Registerer, store Store, now func() time.Time) *metrics {
	m := &metrics{
		started: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "cloakroom_sessions_started_total", Help: "Sessions that a login started.",
		}, []string{"provider"}),
		ended: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "cloakroom_sessions_ended_total", Help: "Sessions that ended, by reason.",
		}, []string{"reason"}),
		unrenewed: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "cloakroom_sessions_ended_unrenewed_total",
			Help: "Sessions that ended with a refresh token that was never used; where that is the rule, the token is a risk for nothing.",
		}, []string{"provider"}),
	}
	if reg != nil {
		reg.MustRegister(m.started, m.ended, m.unrenewed, liveSessions(store, now))
	}
	return m
}

// liveSessions asks the store how many sessions there are, at most once in five seconds.
func liveSessions(store Store, now func() time.Time) prometheus.Collector {
	var (
		mu    sync.Mutex // guards the two below
		asked time.Time
		count float64
	)
	return prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "cloakroom_sessions", Help: "Sessions in the store, those not yet swept included.",
	}, func() float64 {
		mu.Lock()
		defer mu.Unlock()
		if now().Sub(asked) < 5*time.Second {
			return count
		}
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		if n, err := store.Count(ctx); err == nil {
			asked, count = now(), float64(n)
		}
		return count
	})
}
