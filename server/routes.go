package server

import (
	"net/http"

	"github.com/labstack/echo/v4"

	"github.com/cloakroom/cloakroom/handlers"
	"github.com/cloakroom/cloakroom/handlers/admin"
)

// newEcho returns an Echo that answers errors through problems and writes nothing of its own.
func newEcho(problems *handlers.ErrorWriter) *echo.Echo {
	e := echo.New()
	e.HideBanner, e.HidePort = true, true
	e.HTTPErrorHandler = problems.EchoErrorHandler
	return e
}

// publicRoutes returns the handler of the public listener: our endpoints below the base path, which
// no route can shadow, then the routes, then the app.
func (s *Server) publicRoutes(app http.Handler) http.Handler {
	e := newEcho(s.problems)
	e.Use(s.commonMiddleware()...)
	e.Use(s.knownHost, s.corsOfEndpoints)
	s.bff.Mount(e.Group(s.site.Path("")))
	rest := s.routeOrApp(app)
	e.Any("/*", rest)
	e.RouteNotFound("/*", rest) // other methods than those of Any, which a proxied route may name
	return e
}

// routeOrApp answers what is not below the base path: with the proxied route for the path, or with
// the app. Proxied routes have a table of their own, since Echo's router does not choose the
// longest prefix in the form that is forwarded.
func (s *Server) routeOrApp(app http.Handler) echo.HandlerFunc {
	toApp := echo.WrapHandler(app)
	return func(c echo.Context) error {
		u, next := c.Request().URL, toApp
		routed := s.api.Handler(u.EscapedPath())
		switch {
		case s.site.Owns(u.Path): // under another spelling; neither the app nor a route may answer (PR4, BR6)
			next = handlers.NotFound
		case routed != nil:
			next = echo.WrapHandler(routed)
		}
		if routed != nil {
			next = s.cors(next)
		}
		return next(c)
	}
}

// adminRoutes returns the handler of the admin listener. It uses no cookies and no sessions.
func (s *Server) adminRoutes(h *admin.Handlers) http.Handler {
	e := newEcho(s.problems)
	e.Use(s.commonMiddleware()...)
	h.Mount(e)
	return e
}
