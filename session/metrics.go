package session

import (
	"context"
	"math"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

const (
	// countEvery is how old the number of sessions may be; counting a million is not free.
	countEvery = 15 * time.Second
	countTime  = 2 * time.Second
)

// metrics counts what happens to sessions. Labels are configured ids and our own reasons, never anything
// that a caller sent.
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
			Help: "Sessions that ended with a refresh token that was never used, by provider; where that is the rule, refresh: off is safer.",
		}, []string{"provider"}),
	}
	if r != nil {
		count := &counter{m: m}
		live := prometheus.NewGaugeFunc(prometheus.GaugeOpts{
			Name: "cloakroom_sessions", Help: "Sessions in the store, up to 15 s ago; not a number while the store can't be asked.",
		}, count.get)
		r.MustRegister(c.started, c.ended, c.unrenewed, live)
		m.cache.register(r)
	}
	return c
}

// sessionEnded counts an end; who is nil when it is not known whose session it was.
func (c *metrics) sessionEnded(reason Reason, who *identity) {
	c.ended.WithLabelValues(string(reason)).Inc()
	if who != nil && who.renewable && who.renewals == 0 {
		c.unrenewed.WithLabelValues(who.provider).Inc()
	}
}

// A counter counts the sessions now and then.
type counter struct {
	m *Manager

	mu    sync.Mutex // guards what follows; held while the store counts, so that it is asked once
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

// register has the cache counted and measured.
func (c *cache) register(r prometheus.Registerer) {
	lookups := prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "cloakroom_session_cache_lookups_total", Help: "Sessions looked up in memory: hit or miss; a miss reads the store.",
	}, []string{"result"})
	invalidations := prometheus.NewCounter(prometheus.CounterOpts{
		Name: "cloakroom_session_cache_invalidations_total", Help: "Sessions dropped from memory because they changed or ended.",
	})
	c.hits, c.misses, c.invalidations = lookups.WithLabelValues("hit").Inc, lookups.WithLabelValues("miss").Inc, invalidations.Inc
	r.MustRegister(lookups, invalidations,
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{
			Name: "cloakroom_session_cache_entries", Help: "Sessions in memory.",
		}, func() float64 { n, _ := c.size(); return float64(n) }),
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{
			Name: "cloakroom_session_cache_bytes", Help: "About how much memory they take.",
		}, func() float64 { _, n := c.size(); return float64(n) }))
	if c.lined {
		r.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{
			Name: "cloakroom_store_line_up", Help: "1 while changes made by other replicas are heard from the store, otherwise 0: then nothing is served from memory.",
		}, func() float64 {
			if c.isUp() {
				return 1
			}
			return 0
		}))
	}
}
