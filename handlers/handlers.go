// Package handlers answers the browser-facing endpoints below the base path (contract §3), one
// file each.
//
// A handler parses, calls and returns; what goes wrong it returns as an error, and ErrorWriter
// turns that into the one answer. It knows nothing of configuration files, stores or routes.
package handlers

import (
	"context"
	"log/slog"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/labstack/echo/v4"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/cloakroom/cloakroom/problem"
	"github.com/cloakroom/cloakroom/provider"
	"github.com/cloakroom/cloakroom/secret"
	"github.com/cloakroom/cloakroom/session"
	"github.com/cloakroom/cloakroom/session/login"
	"github.com/cloakroom/cloakroom/templates"
)

// A Waker is told that the outbox has something to deliver; *revocation.Worker is one.
type Waker interface{ Wake() }

// Options are what the endpoints need. All fields are required.
type Options struct {
	Providers []*provider.Provider // in the operator's order, which is the chooser's
	Sessions  *session.Manager
	Login     *login.Login
	Tokens    Tokens
	Outbox    Waker
	Pages     *templates.Set
	Keys      [][]byte // session.keys; the first seals the state of a logout
	BasePath  string   // "/bff"
	Origin    string   // the public origin
	// AllowedOrigins are further origins whose pages may call these endpoints: cors.allowed_origins.
	AllowedOrigins []string
	Stopping       context.Context // ended when event streams should: the service stops
	// ForwardAuthSecret is what a reverse proxy proves itself by; zero: none gets access tokens.
	ForwardAuthSecret secret.Value
	// ExpiringNotice is how long before a session runs out its listeners are told; 0: not.
	ExpiringNotice time.Duration
	// Client tells those apart who ask, so that they take turns; "" for who can't be told from others.
	Client func(*http.Request) string
	// ByHTTP reports whether a trusted proxy says that the browser asked it by http.
	ByHTTP func(*http.Request) bool
	// MaxEventStreams is how many one session can have open at this replica; 0: any number. Each is a connection, or a
	// part of one, and some memory, for as long as whoever asked for it likes.
	MaxEventStreams int
	Strict          bool   // the session cookie is SameSite=Strict
	Secure          bool   // the public origin is https
	CookieName      string // of the session cookie, with its prefix
	Now             func() time.Time
	Logger          *slog.Logger
	Metrics         prometheus.Registerer
}

// Handlers are the endpoints of one service. They hold no state of their own but the limits of
// the back channel.
type Handlers struct {
	Options
	byID        map[string]*provider.Provider
	sealed      atomic.Pointer[sealed] // replaced whole
	backchannel *backchannel
	listeners   prometheus.Gauge
}

// New returns the endpoints; Register mounts them.
func New(o Options) *Handlers {
	h := &Handlers{
		Options:     o,
		byID:        make(map[string]*provider.Provider, len(o.Providers)),
		backchannel: newBackchannel(o.Metrics, o.Logger),
		listeners: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "cloakroom_event_listeners", Help: "Browsers that listen to what happens to their session.",
		}),
	}
	o.Metrics.MustRegister(h.listeners)
	h.SetKeys(o.Keys)
	for _, p := range o.Providers {
		h.byID[p.ID()] = p
	}
	return h
}

// SetKeys puts other keys in the place of those there are. It may be called at any time.
func (h *Handlers) SetKeys(keys [][]byte) {
	h.sealed.Store(&sealed{newLogoutState(keys), newOnwardSealer(keys), newLoops(h.CookieName, h.Secure, keys), newSilentSeal(keys)})
}

// sealed is what travels through browsers and providers, sealed under session.keys.
type sealed struct {
	logoutState *logoutState
	onward      *onwardSealer
	loops       *loops
	silent      *silentSeal
}

// Register mounts every endpoint on g, the group of the base path.
func (h *Handlers) Register(g *echo.Group) {
	type methods = map[string]echo.HandlerFunc
	for path, m := range map[string]methods{
		"/login":                     {http.MethodGet: h.startLogin, http.MethodPost: h.startLogin},
		"/silent-login":              {http.MethodGet: h.startSilentLogin, http.MethodPost: h.confirmSilentLogin},
		"/callback/:provider":        {http.MethodGet: h.callback, http.MethodPost: h.callback},
		"/logout":                    {http.MethodGet: h.logoutByNavigation, http.MethodPost: h.logoutByFetch},
		"/logout/continue":           {http.MethodGet: h.continueLogout},
		"/logout/callback/:provider": {http.MethodGet: h.afterLogout},
		"/backchannel/:provider":     {http.MethodPost: h.backchannelLogout},
		"/frontchannel/:provider":    {http.MethodGet: h.frontchannelLogout},
		"/jwks/:provider":            {http.MethodGet: h.jwks},
		"/user":                      {http.MethodGet: h.user},
		"/session":                   {http.MethodGet: h.session},
		"/auth":                      {http.MethodGet: h.auth},
		"/session/refresh":           {http.MethodPost: h.refresh},
		"/events":                    {http.MethodGet: h.events},
		"/sessions":                  {http.MethodGet: h.listSessions, http.MethodPost: h.endFromPage},
		"/sessions/:id":              {http.MethodDelete: h.endSession},
		"/sessions/end-others":       {http.MethodPost: h.endOthers},
	} {
		g.Any(path, byMethod(m))
	}
	g.Any("/auth/*", h.authPath)
}

// byMethod picks the handler of a request's method. Echo's own answer to a wrong one gives way to
// the route that takes everything else.
func byMethod(m map[string]echo.HandlerFunc) echo.HandlerFunc {
	allow := strings.Join(slices.Sorted(maps.Keys(m)), ", ")
	return func(c echo.Context) error {
		if handle, ok := m[c.Request().Method]; ok {
			return handle(c)
		}
		c.Response().Header().Set("Allow", allow)
		return problem.New(problem.MethodNotAllowed)
	}
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
