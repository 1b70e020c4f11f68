// Package admin answers the admin listener: health, readiness, metrics and the admin API.
//
// It is apart from the browser-facing handlers so that nothing of it can be mounted in public by
// slip. Whoever holds the admin token can see who is logged in and end their sessions; no answer
// holds a token or a ticket.
package admin

import (
	"log/slog"
	"net/http"
	"strings"
	"time"

	"github.com/labstack/echo/v4"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/cloakroom/cloakroom/handlers/headers"
	"github.com/cloakroom/cloakroom/problem"
	"github.com/cloakroom/cloakroom/provider"
	"github.com/cloakroom/cloakroom/secret"
	"github.com/cloakroom/cloakroom/session"
)

// A Waker is told that the outbox has something to deliver; *revocation.Worker is one.
type Waker interface{ Wake() }

// Options are what the listener needs. A zero Token leaves health, readiness and metrics alone to
// answer. What has no zero value named is required.
type Options struct {
	Token     secret.Value
	Providers []*provider.Provider
	Sessions  *session.Manager
	Outbox    Waker
	Draining  func() bool         // whether the service is about to stop; nil: it never is
	Gatherer  prometheus.Gatherer // nil: there are no metrics
	Now       func() time.Time    // nil: time.Now
	Logger    *slog.Logger        // nil: slog.Default
}

// Handlers are the endpoints of the admin listener.
type Handlers struct{ o Options }

// New returns the endpoints; Mount mounts them.
func New(o Options) *Handlers {
	if o.Draining == nil {
		o.Draining = func() bool { return false }
	}
	if o.Gatherer == nil {
		o.Gatherer = prometheus.Gatherers{}
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Logger == nil {
		o.Logger = slog.Default()
	}
	return &Handlers{o}
}

// An endpoint is a row of the table: one route in Echo's router.
type endpoint struct {
	method string
	path   string
	handle echo.HandlerFunc
}

// guarded is the path below which everything wants the token.
const guarded = "/admin"

// endpoints is the table of what the listener answers.
func (h *Handlers) endpoints() []endpoint {
	return []endpoint{
		{http.MethodGet, "/healthz", h.healthz},
		{http.MethodGet, "/readyz", h.readyz},
		{http.MethodGet, "/metrics", h.metrics()},

		{http.MethodGet, guarded + "/sessions", h.listSessions},
		{http.MethodDelete, guarded + "/sessions", h.endSessions},
		{http.MethodDelete, guarded + "/sessions/:id", h.endSession},
		{http.MethodGet, guarded + "/providers", h.listProviders},
		{http.MethodGet, guarded + "/revocations", h.listRevocations},
	}
}

// Mount adds every endpoint to e, which must have no other. Each answer bears the headers that
// package headers promises. Every path below /admin asks for the token, unknown ones too; without a
// token in the configuration nothing is mounted there. Another method gets Echo's own answer: 405,
// or 204 with what is allowed for OPTIONS.
func (h *Handlers) Mount(e *echo.Echo) {
	e.Use(headers.Endpoint)
	var api *echo.Group
	if !h.o.Token.IsZero() {
		api = e.Group(guarded, h.requireToken)
	}
	for _, row := range h.endpoints() {
		path, wantsToken := strings.CutPrefix(row.path, guarded)
		switch {
		case !wantsToken:
			e.Add(row.method, row.path, row.handle)
		case api != nil:
			api.Add(row.method, path, row.handle)
		}
	}
}

// requireToken is the guard of everything that shows or ends sessions. The token travels in a
// header that no browser sends by itself, so a page on another origin, or one whose name was
// rebound to this address, can do nothing here.
func (h *Handlers) requireToken(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		scheme, given, _ := strings.Cut(c.Request().Header.Get("Authorization"), " ")
		if !strings.EqualFold(scheme, "Bearer") || !h.o.Token.Equal(given) {
			c.Response().Header().Set("WWW-Authenticate", `Bearer realm="cloakroom admin"`)
			return problem.New(problem.NotAuthenticated).Because("the admin API wants the bearer token that admin.token sets")
		}
		return next(c)
	}
}

func (h *Handlers) metrics() echo.HandlerFunc {
	errorLog := slog.NewLogLogger(h.o.Logger.Handler(), slog.LevelWarn)
	return echo.WrapHandler(promhttp.HandlerFor(h.o.Gatherer, promhttp.HandlerOpts{ErrorLog: errorLog}))
}

func (h *Handlers) healthz(c echo.Context) error {
	return c.JSON(http.StatusOK, map[string]string{"status": "ok"})
}
