// Package admin answers the admin listener: health, readiness, metrics and the admin API (contract §5).
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

	"github.com/cloakroom/cloakroom/problem"
	"github.com/cloakroom/cloakroom/provider"
	"github.com/cloakroom/cloakroom/secret"
	"github.com/cloakroom/cloakroom/session"
)

// A Waker is told that the outbox has something to deliver; *revocation.Worker is one.
type Waker interface{ Wake() }

// Options are what the listener needs. A zero Token leaves health, readiness and metrics alone to
// answer.
type Options struct {
	Token     secret.Value
	Providers []*provider.Provider
	Sessions  *session.Manager
	Outbox    Waker
	Draining  func() bool // whether the service is about to stop
	Gatherer  prometheus.Gatherer
	Now       func() time.Time
	Logger    *slog.Logger
}

// Handlers are the endpoints of the admin listener.
type Handlers struct{ Options }

// New returns the endpoints; Register mounts them.
func New(o Options) *Handlers { return &Handlers{o} }

// Register mounts every endpoint on e.
func (h *Handlers) Register(e *echo.Echo) {
	e.GET("/healthz", h.healthz)
	e.GET("/readyz", h.readyz)
	e.GET("/metrics", echo.WrapHandler(promhttp.HandlerFor(h.Gatherer, promhttp.HandlerOpts{ErrorLog: slog.NewLogLogger(h.Logger.Handler(), slog.LevelWarn)})))
	if h.Token.IsZero() {
		return
	}
	api := e.Group("/admin", h.requireToken)
	api.GET("/sessions", h.listSessions)
	api.DELETE("/sessions", h.endSessions)
	api.DELETE("/sessions/:id", h.endSession)
	api.GET("/providers", h.listProviders)
	api.GET("/revocations", h.listRevocations)
}

// requireToken is the guard of everything that shows or ends sessions. The token travels in a
// header that no browser sends by itself, so a page on another origin, or one whose name was
// rebound to this address, can do nothing here.
func (h *Handlers) requireToken(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		scheme, given, _ := strings.Cut(c.Request().Header.Get("Authorization"), " ")
		if !strings.EqualFold(scheme, "Bearer") || !h.Token.Equal(given) {
			c.Response().Header().Set("WWW-Authenticate", `Bearer realm="cloakroom admin"`)
			return problem.New(problem.NotAuthenticated).Because("the admin API wants the bearer token that admin.token sets")
		}
		return next(c)
	}
}

func (h *Handlers) healthz(c echo.Context) error {
	return c.JSON(http.StatusOK, map[string]string{"status": "ok"})
}
