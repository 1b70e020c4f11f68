package local

import "github.com/prometheus/client_golang/prometheus"

// register registers the metrics of the cache.
func (c *Cache[N, S]) register(r prometheus.Registerer) {
	lookups := prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "cloakroom_session_cache_lookups_total",
		Help: "Sessions looked up in memory: hit or miss; a miss reads the store.",
	}, []string{"result"})
	invalidations := prometheus.NewCounter(prometheus.CounterOpts{
		Name: "cloakroom_session_cache_invalidations_total",
		Help: "Sessions dropped from memory because they changed or ended.",
	})
	c.hits = lookups.WithLabelValues("hit").Inc
	c.misses = lookups.WithLabelValues("miss").Inc
	c.invalidations = invalidations.Inc
	r.MustRegister(lookups, invalidations,
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{
			Name: "cloakroom_session_cache_entries", Help: "Sessions in memory.",
		}, func() float64 { n, _ := c.Size(); return float64(n) }),
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{
			Name: "cloakroom_session_cache_bytes", Help: "About how much memory they take.",
		}, func() float64 { _, n := c.Size(); return float64(n) }))
	if c.o.Feed {
		r.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{
			Name: "cloakroom_store_line_up",
			Help: "1 while changes made by other replicas are heard from the store, " +
				"otherwise 0: then nothing is served from memory.",
		}, func() float64 {
			if c.IsUp() {
				return 1
			}
			return 0
		}))
	}
}
