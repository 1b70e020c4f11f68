package listen

import (
	"context"
	"net"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

const (
	// stoppingLimit is the greatest limit once the service stops.
	stoppingLimit = 2 * time.Second
	// checkInterval is the longest time between two checks for progress.
	checkInterval = time.Second
)

// Limits limit how long a client may send or read nothing while the service waits for it: for the
// request body, or to write the response. Time that the service waits for an API, a provider or a
// store does not count. An http.Server must use Handler, Listener and ConnContext together.
type Limits struct {
	request, response time.Duration
	stopping          context.Context // done when the service stops, which no client may delay
	stalled           *prometheus.CounterVec
}

// NewLimits returns the limits of o. Once stopping is done, they are at most 2 s. The registry may
// be nil.
func NewLimits(o Options, stopping context.Context, registry prometheus.Registerer) *Limits {
	l := &Limits{
		request: o.RequestStallTimeout, response: o.ResponseStallTimeout, stopping: stopping,
		stalled: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "cloakroom_stalled_callers_total",
			Help: "Exchanges that were ended because the caller sent or read nothing, by what was waited for.",
		}, []string{"waited_for"}),
	}
	if registry != nil {
		registry.MustRegister(l.stalled)
	}
	return l
}

// Listener returns a listener whose connections have these limits.
func (l *Limits) Listener(inner net.Listener) net.Listener { return stallListener{inner, l} }

func (l *Limits) forRequest() time.Duration  { return l.now(l.request) }
func (l *Limits) forResponse() time.Duration { return l.now(l.response) }

func (l *Limits) now(limit time.Duration) time.Duration {
	if l.stopping.Err() != nil {
		return min(limit, stoppingLimit)
	}
	return limit
}

// A watch calls expire if a wait for the client takes longer than the limit. Most waits are far
// shorter, so it does not reset its timer for each. It is safe for concurrent use.
type watch struct {
	limit  func() time.Duration
	expire func() // called once at most, with mu held, so never after stop

	mu      sync.Mutex // guards the rest
	timer   *time.Timer
	since   time.Time // when the present wait began; zero if there is none
	armed   bool      // the timer runs
	over    bool      // stopped or expired
	expired bool
}

// begin starts a wait for the client.
func (w *watch) begin() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.since = time.Now()
	if w.armed || w.over {
		return
	}
	w.armed = true
	if w.timer == nil {
		w.timer = time.AfterFunc(min(w.limit(), checkInterval), w.check)
		return
	}
	w.timer.Reset(min(w.limit(), checkInterval))
}

// end ends the wait and returns its duration.
func (w *watch) end() time.Duration {
	w.mu.Lock()
	defer w.mu.Unlock()
	took := time.Since(w.since)
	w.since = time.Time{}
	return took
}

// check expires the watch if the present wait has taken too long.
func (w *watch) check() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.armed = false
	if w.over || w.since.IsZero() {
		return
	}
	left := w.limit() - time.Since(w.since)
	if left <= 0 {
		w.over, w.expired = true, true
		w.expire()
		return
	}
	w.armed = true
	w.timer.Reset(min(left, checkInterval))
}

// stop ends the watch.
func (w *watch) stop() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.over = true
	if w.timer != nil {
		w.timer.Stop()
	}
}

// hasExpired reports whether the watch has called expire.
func (w *watch) hasExpired() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.expired
}
