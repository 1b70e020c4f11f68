package handlers

import (
	"net/http"
	"slices"
	"strings"

	"github.com/labstack/echo/v4"

	"github.com/cloakroom/cloakroom/handlers/headers"
	"github.com/cloakroom/cloakroom/problem"
)

// An endpoint is a row of the table: one route in Echo's router.
type endpoint struct {
	method string
	path   string // below the base path
	handle echo.HandlerFunc
}

// anyMethod marks an endpoint that answers every method that Echo's Any knows.
const anyMethod = ""

// endpoints is the table of the endpoints below the base path (docs/endpoints.md).
func (h *Handlers) endpoints() []endpoint {
	return []endpoint{
		{http.MethodGet, "/login", h.startLogin},
		{http.MethodPost, "/login", h.startLogin},
		{http.MethodGet, "/silent-login", h.startSilentLogin},
		{http.MethodPost, "/silent-login", h.confirmSilentLogin},
		{http.MethodGet, "/callback/:provider", h.callback},
		{http.MethodPost, "/callback/:provider", h.callback},

		{http.MethodGet, "/user", h.user},
		{http.MethodGet, "/session", h.session},
		{http.MethodPost, "/session/refresh", h.refresh},
		{http.MethodGet, "/events", h.events},
		{http.MethodGet, "/sessions", h.listSessions},
		{http.MethodPost, "/sessions", h.endFromPage},
		{http.MethodDelete, "/sessions/:id", h.endSession},
		{http.MethodPost, "/sessions/end-others", h.endOthers},

		{http.MethodGet, "/logout", h.logoutByNavigation},
		{http.MethodPost, "/logout", h.logoutByFetch},
		{http.MethodGet, "/logout/continue", h.continueLogout},
		{http.MethodGet, "/logout/callback/:provider", h.afterLogout},

		{http.MethodPost, "/backchannel/:provider", h.backchannelLogout},
		{http.MethodGet, "/frontchannel/:provider", h.frontchannelLogout},
		{http.MethodGet, "/jwks/:provider", h.jwks},

		{http.MethodGet, "/auth", h.auth},
		{anyMethod, "/auth/*", h.authPath},
	}
}

// Mount adds every endpoint to g, the group of the base path. Another method at an endpoint gets
// 405, another path below the base path 404. Each answer has the headers of package headers.
//
// The 405s are routes, too. Without them, Echo's router would prefer a wildcard route beside g that
// takes the method to its own 405. A method that Echo's Any does not know gets 404, and below
// /auth/ Echo's own 405, without those headers.
func (h *Handlers) Mount(g *echo.Group) {
	endpoints := h.endpoints()
	for _, e := range endpoints {
		g.Any(e.path, methodNotAllowed(endpoints, e.path), headers.Endpoint)
	}
	for _, e := range endpoints {
		if e.method == anyMethod {
			g.Any(e.path, e.handle, headers.Endpoint)
			continue
		}
		g.Add(e.method, e.path, e.handle, headers.Endpoint)
	}
	g.RouteNotFound("", NotFound)
	g.RouteNotFound("/*", NotFound)
}

// methodNotAllowed answers 405 for path. An endpoint that takes GET does not take HEAD.
func methodNotAllowed(endpoints []endpoint, path string) echo.HandlerFunc {
	var methods []string
	for _, e := range endpoints {
		if e.path == path {
			methods = append(methods, e.method)
		}
	}
	slices.Sort(methods)
	allow := strings.Join(methods, ", ")
	return func(c echo.Context) error {
		c.Response().Header().Set("Allow", allow) // RFC 9110 §15.5.6
		return problem.New(problem.MethodNotAllowed)
	}
}

// NotFound answers every path below the base path that is not an endpoint's.
func NotFound(c echo.Context) error {
	return headers.Endpoint(func(echo.Context) error { return problem.New(problem.NotFound) })(c)
}
