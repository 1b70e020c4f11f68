package renewal

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// An outcome says in a word what a renewal came to.
type outcome string

const (
	renewed         outcome = "ok"
	shared          outcome = "shared"           // another process had done it
	refused         outcome = "refused"          // invalid_grant: the session ended
	invalidResponse outcome = "invalid_response" // the answer broke the rules: the session ended
	lostToLogout    outcome = "lost_to_logout"   // the session ended meanwhile
	transient       outcome = "transient"        // it will be tried again
	misconfigured   outcome = "misconfigured"    // the provider refuses this client
)

type metrics struct {
	total   *prometheus.CounterVec
	seconds *prometheus.HistogramVec
}

func newMetrics(reg prometheus.Registerer) *metrics {
	m := &metrics{
		total: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "cloakroom_renewals_total", Help: "Renewals of access tokens, by outcome.",
		}, []string{"provider", "outcome"}),
		seconds: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "cloakroom_renewal_seconds", Help: "Time a renewal took, the commit included.", Buckets: prometheus.DefBuckets,
		}, []string{"provider"}),
	}
	if reg != nil {
		reg.MustRegister(m.total, m.seconds)
	}
	return m
}

func (m *metrics) done(provider string, o outcome, took time.Duration) {
	m.total.WithLabelValues(provider, string(o)).Inc()
	m.seconds.WithLabelValues(provider).Observe(took.Seconds())
}
