package renewal

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// The outcomes of a renewal, as the metric names them.
const (
	outcomeOK              = "ok"
	outcomeRefused         = "refused"          // invalid_grant; the session ended
	outcomeLoginNeeded     = "login_needed"     // the provider wants a login; the session stays
	outcomeTransient       = "transient"        // the provider gave no usable answer
	outcomeMisconfigured   = "misconfigured"    // the provider refuses this client
	outcomeLostToLogout    = "lost_to_logout"   // the session ended first; the tokens are revoked
	outcomeSuperseded      = "superseded"       // another process renewed first; its tokens are used
	outcomeInvalidResponse = "invalid_response" // the answer broke the rules; the session ended
	outcomeUnsaved         = "unsaved"          // the store could not be written until it was too late
)

type metrics struct {
	renewals *prometheus.CounterVec
	seconds  *prometheus.HistogramVec
	waiters  prometheus.Gauge
	unsaved  prometheus.Gauge
}

func newMetrics(r prometheus.Registerer) *metrics {
	m := &metrics{
		renewals: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "cloakroom_renewals_total",
			Help: "Refresh-token grants, by provider and outcome.",
		}, []string{"provider", "outcome"}),
		seconds: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name:    "cloakroom_renewal_seconds",
			Help:    "Time from starting a renewal to its outcome, the store's write included.",
			Buckets: []float64{.005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30},
		}, []string{"provider"}),
		waiters: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "cloakroom_renewal_waiters", Help: "Requests that wait for a renewal.",
		}),
		unsaved: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "cloakroom_renewals_unsaved",
			Help: "Sessions whose renewed tokens are in memory alone because the store can't be written.",
		}),
	}
	if r != nil {
		r.MustRegister(m.renewals, m.seconds, m.waiters, m.unsaved)
	}
	return m
}

func (m *metrics) renewed(providerID, outcome string, took time.Duration) {
	m.renewals.WithLabelValues(providerID, outcome).Inc()
	m.seconds.WithLabelValues(providerID).Observe(took.Seconds())
}
