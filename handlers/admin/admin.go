// Package admin answers the admin listener: health, readiness, metrics and the admin API.
//
// It is separate from the browser-facing handlers, so that none of it is mounted in public by
// mistake. The admin token permits its holder to see who is logged in and to end their sessions. No
// answer contains a token or a ticket.
package admin

import (
	"context"
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
	"github.com/cloakroom/cloakroom/session/storage"
)

// A Waker learns that the outbox has something to deliver; *revocation.Worker is one.
type Waker interface{ Wake() }

// A Backlog lists what waits to be revoked; see storage.Outbox.
type Backlog interface {
	Revocations(ctx context.Context, limit int) ([]storage.Revocation, int, error)
}

// Options are what the listener needs. If Token is zero, only health, readiness and metrics answer.
// Fields whose zero value has no stated meaning are required.
type Options struct {
	Token     secret.Value
	Providers []*provider.Provider
	Sessions  *session.Manager
	Outbox    Waker
	Backlog   Backlog
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

// guarded is the path below which every request needs the token.
const guarded = "/admin"

// endpoints is the table of the listener's endpoints.
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

// Mount adds every endpoint to e, which must have no other. Each answer has the headers of package
// headers. Every path below /admin requires the token, unknown ones too; if no token is configured,
// nothing is mounted there. Another method gets Echo's own answer: 405, or for OPTIONS 204 with the
// allowed methods.
func (h *Handlers) Mount(e *echo.Echo) {
	e.Use(headers.Endpoint)
	var api *echo.Group
	if !h.o.Token.IsZero() {
		api = e.Group(guarded, h.requireToken)
	}
	for _, row := range h.endpoints() {
		path, needsToken := strings.CutPrefix(row.path, guarded)
		switch {
		case !needsToken:
			e.Add(row.method, row.path, row.handle)
		case api != nil:
			api.Add(row.method, path, row.handle)
		}
	}
}

// requireToken guards everything that shows or ends sessions. No browser sends this header by
// itself, so a page of another origin can do nothing here, even if its name was rebound to this
// address.
func (h *Handlers) requireToken(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		scheme, given, _ := strings.Cut(c.Request().Header.Get("Authorization"), " ")
		if !strings.EqualFold(scheme, "Bearer") || !h.o.Token.Equal(given) {
			c.Response().Header().Set("WWW-Authenticate", `Bearer realm="cloakroom admin"`)
			return problem.New(problem.NotAuthenticated).
				WithDetail("the admin API requires the bearer token that admin.token sets")
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
