// Package handlers answers the browser-facing endpoints below the base path (contract §3), one
// file each.
//
// A handler parses, calls and returns; what goes wrong it returns as an error, and handlers/problem
// turns that into the one answer. It knows nothing of configuration files, stores or routes.
package handlers

import (
	"context"
	"log/slog"
	"net/http"
	"time"

	"github.com/labstack/echo/v4"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/cloakroom/cloakroom/provider"
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
	Outbox    Waker
	Pages     *templates.Set
	Keys      [][]byte // session.keys; the first seals the state of a logout
	BasePath  string   // "/bff"
	Origin    string   // the public origin
	Strict    bool     // the session cookie is SameSite=Strict
	Now       func() time.Time
	Logger    *slog.Logger
	Metrics   prometheus.Registerer
}

// Handlers are the endpoints of one service. They hold no state of their own but the limiter of
// the back channel.
type Handlers struct {
	Options
	byID        map[string]*provider.Provider
	logoutState *logoutState
	backchannel *backchannel
}

// New returns the endpoints; Register mounts them.
func New(o Options) *Handlers {
	h := &Handlers{
		Options:     o,
		byID:        make(map[string]*provider.Provider, len(o.Providers)),
		logoutState: newLogoutState(o.Keys),
		backchannel: newBackchannel(o.Metrics),
	}
	for _, p := range o.Providers {
		h.byID[p.ID()] = p
	}
	return h
}

// Register mounts every endpoint on g, the group of the base path.
func (h *Handlers) Register(g *echo.Group) {
	g.GET("/login", h.startLogin)
	g.GET("/silent-login", h.startSilentLogin)
	g.GET("/callback/:provider", h.callback)
	g.POST("/callback/:provider", h.callback)
	g.GET("/logout", h.logoutByNavigation)
	g.POST("/logout", h.logoutByFetch)
	g.GET("/logout/callback/:provider", h.afterLogout)
	g.POST("/backchannel/:provider", h.backchannelLogout)
	g.GET("/frontchannel/:provider", h.frontchannelLogout)
	g.GET("/user", h.user)
	g.GET("/session", h.session)
	g.GET("/events", h.events)
	g.GET("/sessions", h.listSessions)
	g.DELETE("/sessions/:id", h.endSession)
	g.POST("/sessions/end-others", h.endOthers)
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
