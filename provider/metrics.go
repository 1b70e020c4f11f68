package provider

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// Metrics counts requests to providers; all of them share one.
type Metrics struct {
	total   *prometheus.CounterVec
	seconds *prometheus.HistogramVec
}

// NewMetrics registers with reg, which may be nil.
func NewMetrics(reg prometheus.Registerer) *Metrics {
	m := &Metrics{
		total: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "cloakroom_provider_requests_total", Help: "Requests to providers, by endpoint and outcome.",
		}, []string{"provider", "endpoint", "outcome"}),
		seconds: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "cloakroom_provider_request_seconds", Help: "Time of requests to providers.", Buckets: prometheus.DefBuckets,
		}, []string{"provider", "endpoint"}),
	}
	if reg != nil {
		reg.MustRegister(m.total, m.seconds)
	}
	return m
}

func (m *Metrics) done(provider, endpoint, outcome string, took time.Duration) {
	m.total.WithLabelValues(provider, endpoint, outcome).Inc()
	m.seconds.WithLabelValues(provider, endpoint).Observe(took.Seconds())
}
