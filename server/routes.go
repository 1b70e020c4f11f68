package server

import (
	"net/http"
	"strings"

	"github.com/labstack/echo/v4"

	"github.com/cloakroom/cloakroom/handlers"
	"github.com/cloakroom/cloakroom/handlers/admin"
	"github.com/cloakroom/cloakroom/proxy"
)

// newEcho is an Echo that leaves every error to problem, and every line of output to our log.
func newEcho(problems *handlers.ErrorWriter) *echo.Echo {
	e := echo.New()
	e.HideBanner, e.HidePort = true, true
	e.HTTPErrorHandler = problems.EchoErrorHandler
	return e
}

// publicRoutes puts together what browsers see: our endpoints below the base path, which no route
// can shadow, then the routes, then the app.
func (s *Server) publicRoutes(bff *handlers.Handlers, api *proxy.Proxy, app http.Handler, problems *handlers.ErrorWriter) http.Handler {
	e := newEcho(problems)
	e.Use(s.requestLog, s.headers, s.knownHost, s.cors(func(path string) bool { return s.ownPath(path) || api.Match(path) }))
	bff.Mount(e.Group(s.cfg.Server.BasePath))
	e.RouteNotFound("/*", func(c echo.Context) error {
		r := c.Request()
		switch {
		case s.ownPath(r.URL.Path):
			return handlers.NotFound(c)
		case api.Match(r.URL.EscapedPath()):
			api.ServeHTTP(c.Response(), r)
		default:
			app.ServeHTTP(c.Response(), r)
		}
		return nil
	})
	return e
}

// ownPath reports whether a path lies below the base path: a typo there is answered 404, never with
// the app (PR4, BR6).
func (s *Server) ownPath(path string) bool {
	return path == s.cfg.Server.BasePath || strings.HasPrefix(path, s.cfg.Server.BasePath+"/")
}

// authPath reports whether a path is one that reverse proxies ask at.
func (s *Server) authPath(path string) bool {
	path, own := strings.CutPrefix(path, s.cfg.Server.BasePath)
	return own && (path == "/auth" || strings.HasPrefix(path, "/auth/"))
}

// adminRoutes puts together the admin listener. It knows no cookie and no session of its own.
func (s *Server) adminRoutes(h *admin.Handlers, problems *handlers.ErrorWriter) http.Handler {
	e := newEcho(problems)
	e.Use(s.requestLog, s.headers)
	h.Mount(e)
	return e
}
