// Package handlers answers the browser-facing endpoints below the base path (docs/endpoints.md),
// one file each. endpoints.go has the table of them: one route in Echo's router each.
//
// A handler parses, calls and returns. It returns failures as errors, and ErrorWriter writes the
// answer. It knows nothing of configuration files, stores or proxied routes.
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

// A Waker learns that the outbox has something to deliver; *revocation.Worker is one.
type Waker interface{ Wake() }

// Marks remember the logout tokens that were used; see storage.Marks.
type Marks interface {
	MarkOnce(ctx context.Context, key string, until time.Time) (bool, error)
	Marked(ctx context.Context, key string) (bool, error)
}

// Options are what the endpoints need. Fields whose zero value has no stated meaning are required.
type Options struct {
	Site      *site.Site
	Providers []*provider.Provider // in the operator's order, which is the chooser's
	Sessions  *session.Manager
	Login     *login.Login
	Tokens    Tokens
	Outbox    Waker
	Marks     Marks
	Pages     *templates.Set
	Keys      *keys.Ring      // seals the values that pass through browsers and providers
	Stopping  context.Context // done when event streams should end, because the service stops; nil means never
	// ForwardAuthSecret authenticates the reverse proxy; if zero, no proxy gets access tokens.
	ForwardAuthSecret secret.Value
	// ExpiringNotice is how long before a session's expiry its listeners get `expiring`; 0 means
	// never.
	ExpiringNotice time.Duration
	// Client identifies the client of a request, so that clients are served in turn; "" if unknown.
	// nil means always unknown.
	Client func(*http.Request) string
	// MaxEventStreams is how many event streams a session can have open at this replica; 0 means
	// any number. Each costs a connection or an HTTP/2 stream, and some memory, for as long as it
	// is open.
	MaxEventStreams int
	// Claims changes what GET /user shows of the user of s: claims are those of the login, numbers among
	// them json.Number, and become what it leaves in the map, except for names that begin with bff:.
	// The request fails with its error. It must be quick, and add no token. nil: they are shown as they
	// are.
	Claims  func(ctx context.Context, s *session.Session, claims map[string]any) error
	Now     func() time.Time      // nil: time.Now
	Logger  *slog.Logger          // nil: slog.Default
	Metrics prometheus.Registerer // nil: not registered
}

// Handlers are the endpoints of one service. Their only state is the concurrency limits of the back
// channel.
type Handlers struct {
	o           Options
	byID        map[string]*provider.Provider
	logoutState logoutState
	handoff     handoffCodec
	loops       loops
	silent      silentCodec
	backchannel *backchannel
	listeners   prometheus.Gauge
}

// maxSealed is the longest sealed value in a cookie or a URL, in bytes. Browsers drop larger
// cookies (RFC 6265bis §5.6).
const maxSealed = 4096

// New returns the endpoints; Mount mounts them.
func New(o Options) *Handlers {
	o = o.complete()
	h := &Handlers{
		o:           o,
		byID:        make(map[string]*provider.Provider, len(o.Providers)),
		logoutState: newLogoutState(o.Keys),
		handoff:     newHandoffCodec(o.Keys),
		loops:       newLoops(o.Site, o.Keys),
		silent:      newSilentCodec(o.Keys),
		backchannel: newBackchannel(o.Metrics, o.Logger),
		listeners: promauto.With(o.Metrics).NewGauge(prometheus.GaugeOpts{
			Name: "cloakroom_event_listeners", Help: "Open event streams of browsers.",
		}),
	}
	for _, p := range o.Providers {
		h.byID[p.ID()] = p
	}
	return h
}

// complete returns o with its defaults.
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

// provider returns the provider with this id. There is no default.
func (h *Handlers) provider(id string) (*provider.Provider, error) {
	if p, ok := h.byID[id]; ok {
		return p, nil
	}
	return nil, unknownProvider()
}

// withShortDeadline bounds how long a user who logs out waits for the provider.
func withShortDeadline(r *http.Request) (context.Context, context.CancelFunc) {
	return context.WithTimeout(r.Context(), 700*time.Millisecond)
}
