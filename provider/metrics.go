package provider

import (
	"context"
	"errors"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// metrics count the requests to all providers; every Provider of a registry shares one set.
type metrics struct {
	requests *prometheus.CounterVec
	duration *prometheus.HistogramVec
}

// newMetrics registers the two series, or returns those that another Provider has registered.
func newMetrics(r prometheus.Registerer) *metrics {
	labels := []string{"provider", "endpoint", "outcome"}
	return &metrics{
		requests: register(r, prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "cloakroom_provider_requests_total",
			Help: "Requests sent to OpenID providers, by endpoint and outcome " +
				"(ok, refused, failing, unreachable, canceled).",
		}, labels)),
		duration: register(r, prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name:    "cloakroom_provider_request_duration_seconds",
			Help:    "Time until an OpenID provider's answer was read.",
			Buckets: prometheus.ExponentialBuckets(0.005, 2.5, 9),
		}, labels[:2])),
	}
}

// register registers c and returns it, or returns the collector that was registered before.
func register[C prometheus.Collector](r prometheus.Registerer, c C) C {
	if r == nil {
		return c
	}
	var already prometheus.AlreadyRegisteredError
	if err := r.Register(c); errors.As(err, &already) {
		if known, ok := already.ExistingCollector.(C); ok {
			return known
		}
	}
	return c
}

func (m *metrics) observe(provider, endpoint, outcome string, took time.Duration) {
	m.requests.WithLabelValues(provider, endpoint, outcome).Inc()
	m.duration.WithLabelValues(provider, endpoint).Observe(took.Seconds())
}

// outcome returns the metric's label for how a request ended.
func outcome(a *answer, err error) string {
	switch {
	case errors.Is(err, context.Canceled):
		return "canceled"
	case err != nil:
		return "unreachable"
	case a.status == 429 || a.status >= 500:
		return "failing"
	case a.status >= 300:
		return "refused"
	}
	return "ok"
}
