package revocation

import "github.com/prometheus/client_golang/prometheus"

// The outcomes of handling an item, as the metric names them.
const (
	outcomeDelivered       = "delivered"        // the provider answered 200
	outcomeRetried         = "retried"          // no usable answer; it will be tried again
	outcomeNotRevocable    = "not_revocable"    // the provider will never revoke one of the tokens
	outcomeUnsupported     = "unsupported"      // the provider has no revocation endpoint
	outcomeKept            = "kept"             // not revoked: offline_access at a provider's logout
	outcomeWaiting         = "waiting"          // a newer session holds the same grant
	outcomeUnreadable      = "unreadable"       // the sealed record does not open
	outcomeUnknownProvider = "unknown_provider" // no longer configured
	outcomeDropped         = "dropped"          // too old
)

type metrics struct {
	pending     prometheus.Gauge
	revocations *prometheus.CounterVec
}

func newMetrics(r prometheus.Registerer) *metrics {
	m := &metrics{
		pending: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "cloakroom_revocations_pending",
			Help: "Ended sessions whose tokens are yet to be revoked.",
		}),
		revocations: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "cloakroom_revocations_total",
			Help: "Tries to revoke the tokens of an ended session, by provider and outcome.",
		}, []string{"provider", "outcome"}),
	}
	if r != nil {
		r.MustRegister(m.pending, m.revocations)
	}
	return m
}
