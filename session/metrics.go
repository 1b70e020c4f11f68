package session

import (
	"context"
	"math"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/cloakroom/cloakroom/session/local"
)

const (
	// countEvery is how old the number of sessions may be, because counting a million takes time.
	countEvery = 15 * time.Second
	countTime  = 2 * time.Second
)

// metrics counts what happens to sessions. Labels are configured ids and our own reasons, never
// text that a caller sent.
type metrics struct {
	started   *prometheus.CounterVec
	ended     *prometheus.CounterVec
	unrenewed *prometheus.CounterVec
}

func newMetrics(m *Manager, r prometheus.Registerer) *metrics {
	c := &metrics{
		started: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "cloakroom_sessions_started_total", Help: "Sessions that logins started, by provider.",
		}, []string{"provider"}),
		ended: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "cloakroom_sessions_ended_total", Help: "Sessions that ended, by reason.",
		}, []string{"reason"}),
		unrenewed: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "cloakroom_sessions_ended_unrenewed_total",
			Help: "Sessions that ended with a refresh token that was never used, by provider; " +
				"where that is the rule, refresh: off is safer.",
		}, []string{"provider"}),
	}
	if r != nil {
		count := &counter{m: m}
		live := prometheus.NewGaugeFunc(prometheus.GaugeOpts{
			Name: "cloakroom_sessions",
			Help: "Sessions in the store, up to 15 s ago; not a number while the store can't be asked.",
		}, count.get)
		r.MustRegister(c.started, c.ended, c.unrenewed, live)
	}
	return c
}

// sessionEnded counts an end. who is nil if it is not known whose session it was.
func (c *metrics) sessionEnded(reason Reason, who *local.Identity) {
	c.ended.WithLabelValues(string(reason)).Inc()
	if who != nil && who.Renewable && who.Renewals == 0 {
		c.unrenewed.WithLabelValues(who.Provider).Inc()
	}
}

// A counter counts the sessions from time to time.
type counter struct {
	m *Manager

	mu    sync.Mutex // guards the fields below; held while the store counts, so that it is asked once
	value float64
	at    time.Time
}

func (c *counter) get() float64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	now := c.m.now()
	if !c.at.IsZero() && now.Sub(c.at) < countEvery {
		return c.value
	}
	ctx, cancel := context.WithTimeout(context.Background(), countTime)
	defer cancel()
	n, err := c.m.finder.Count(ctx)
	c.value, c.at = float64(n), now
	if err != nil {
		c.value = math.NaN()
	}
	return c.value
}
