// Package handlers answers the browser-facing endpoints below the base path (docs/endpoints.md),
// one file each; endpoints.go has the table of them, one route in Echo's router each.
//
// A handler parses, calls and returns; what goes wrong it returns as an error, and ErrorWriter
// turns that into the one answer. It knows nothing of configuration files, stores or routes.
package handlers

import (
	"context"
	"log/slog"
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"

	"github.com/cloakroom/cloakroom/keys"
	"github.com/cloakroom/cloakroom/provider"
	"github.com/cloakroom/cloakroom/secret"
	"github.com/cloakroom/cloakroom/session"
	"github.com/cloakroom/cloakroom/session/login"
	"github.com/cloakroom/cloakroom/site"
	"github.com/cloakroom/cloakroom/templates"
)

// A Waker is told that the outbox has something to deliver; *revocation.Worker is one.
type Waker interface{ Wake() }

// Options are what the endpoints need. What has no zero value named is required.
type Options struct {
	Site      *site.Site
	Providers []*provider.Provider // in the operator's order, which is the chooser's
	Sessions  *session.Manager
	Login     *login.Login
	Tokens    Tokens
	Outbox    Waker
	Pages     *templates.Set
	Keys      *keys.Ring      // what seals values that travel through browsers and providers
	Stopping  context.Context // ended when event streams should: the service stops; nil: never
	// ForwardAuthSecret is what a reverse proxy proves itself by; zero: none gets access tokens.
	ForwardAuthSecret secret.Value
	// ExpiringNotice is how long before a session runs out its listeners are told; 0: not.
	ExpiringNotice time.Duration
	// Client tells those apart who ask, so that they take turns; "" for who can't be told from others.
	// nil: nobody can.
	Client func(*http.Request) string
	// MaxEventStreams is how many one session can have open at this replica; 0: any number. Each is a connection, or a
	// part of one, and some memory, for as long as whoever asked for it likes.
	MaxEventStreams int
	Now             func() time.Time      // nil: time.Now
	Logger          *slog.Logger          // nil: slog.Default
	Metrics         prometheus.Registerer // nil: not registered
}

// Handlers are the endpoints of one service. They hold no state of their own but the limits of
// the back channel.
type Handlers struct {
	o           Options
	byID        map[string]*provider.Provider
	logoutState logoutState
	onward      onwardSealer
	loops       loops
	silent      silentSeal
	backchannel *backchannel
	listeners   prometheus.Gauge
}

// maxSealed is how long a sealed value may be that goes into a cookie or a URL, in bytes. Browsers
// drop larger cookies (RFC 6265bis §5.6).
const maxSealed = 4096

// New returns the endpoints; Mount mounts them.
func New(o Options) *Handlers {
	o = o.complete()
	h := &Handlers{
		o:           o,
		byID:        make(map[string]*provider.Provider, len(o.Providers)),
		logoutState: newLogoutState(o.Keys),
		onward:      newOnwardSealer(o.Keys),
		loops:       newLoops(o.Site, o.Keys),
		silent:      newSilentSeal(o.Keys),
		backchannel: newBackchannel(o.Metrics, o.Logger),
		listeners: promauto.With(o.Metrics).NewGauge(prometheus.GaugeOpts{
			Name: "cloakroom_event_listeners", Help: "Browsers that listen to what happens to their session.",
		}),
	}
	for _, p := range o.Providers {
		h.byID[p.ID()] = p
	}
	return h
}

// complete fills in what was left out.
func (o Options) complete() Options {
	if o.Client == nil {
		o.Client = func(*http.Request) string { return "" }
	}
	if o.Stopping == nil {
		o.Stopping = context.Background()
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Logger == nil {
		o.Logger = slog.Default()
	}
	return o
}

// provider returns the provider that a path or a query names; there is no default to fall back on.
func (h *Handlers) provider(id string) (*provider.Provider, error) {
	if p, ok := h.byID[id]; ok {
		return p, nil
	}
	return nil, unknownProvider()
}

// withShortDeadline bounds what a person waiting for a logout has to spend on the provider.
func withShortDeadline(r *http.Request) (context.Context, context.CancelFunc) {
	return context.WithTimeout(r.Context(), 700*time.Millisecond)
}
