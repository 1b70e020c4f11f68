package listen

import (
	"context"
	"net"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

const (
	// leaveTime is how long a caller is waited for once the service stops.
	leaveTime = 2 * time.Second
	// lookTime is how often it is looked at whether a caller still keeps us waiting.
	lookTime = time.Second
)

// A Patience is how long callers may go on without a byte while we wait for them: for a request's
// body to come, or for them to read the answer. It never counts while an API, a provider or a store
// is waited for. An http.Server needs all three of its parts: Handler, Listener and ConnContext.
type Patience struct {
	request, response time.Duration
	stopping          context.Context // ended when the service stops, which no caller may hold up
	stalled           *prometheus.CounterVec
}

// NewPatience returns a Patience with the limits of o, which are short once stopping has ended.
// registry may be nil.
func NewPatience(o Options, stopping context.Context, registry prometheus.Registerer) *Patience {
	p := &Patience{
		request: o.RequestStallTimeout, response: o.ResponseStallTimeout, stopping: stopping,
		stalled: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "cloakroom_stalled_callers_total", Help: "Exchanges that were ended because the caller went on without a byte, by what was waited for.",
		}, []string{"waited_for"}),
	}
	if registry != nil {
		registry.MustRegister(p.stalled)
	}
	return p
}

// Listener hands out l's connections with limits.
func (p *Patience) Listener(l net.Listener) net.Listener { return patientListener{l, p} }

func (p *Patience) forRequest() time.Duration  { return p.now(p.request) }
func (p *Patience) forResponse() time.Duration { return p.now(p.response) }

func (p *Patience) now(limit time.Duration) time.Duration {
	if p.stopping.Err() != nil {
		return min(limit, leaveTime)
	}
	return limit
}

// A watch cuts an exchange when one wait for its caller takes longer than the limit. It needs a
// timer only now and then, since a limit is long and a wait is short. It is safe for concurrent
// use.
type watch struct {
	limit func() time.Duration
	cut   func() // called with mu held, so never after stop

	mu      sync.Mutex // guards the rest
	timer   *time.Timer
	since   time.Time // zero: nobody is waited for
	armed   bool      // the timer will look
	over    bool      // nothing is cut any more
	expired bool
}

// begin says that the caller is waited for from now on.
func (w *watch) begin() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.since = time.Now()
	if w.armed || w.over {
		return
	}
	w.armed = true
	if w.timer == nil {
		w.timer = time.AfterFunc(min(w.limit(), lookTime), w.look)
		return
	}
	w.timer.Reset(min(w.limit(), lookTime))
}

// end says that the caller is waited for no more, and returns for how long it was.
func (w *watch) end() time.Duration {
	w.mu.Lock()
	defer w.mu.Unlock()
	took := time.Since(w.since)
	w.since = time.Time{}
	return took
}

// look cuts what has taken too long.
func (w *watch) look() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.armed = false
	if w.over || w.since.IsZero() {
		return
	}
	left := w.limit() - time.Since(w.since)
	if left <= 0 {
		w.over, w.expired = true, true
		w.cut()
		return
	}
	w.armed = true
	w.timer.Reset(min(left, lookTime))
}

// stop ends the watching.
func (w *watch) stop() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.over = true
	if w.timer != nil {
		w.timer.Stop()
	}
}

// cutAlready reports whether the watch has cut the exchange.
func (w *watch) cutAlready() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.expired
}
