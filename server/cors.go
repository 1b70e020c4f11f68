package server

import (
	"net/http"
	"strings"

	"github.com/labstack/echo/v4"

	"github.com/cloakroom/cloakroom/site"
)

const (
	corsMethods = "GET, HEAD, POST, PUT, PATCH, DELETE"
	// corsExposed are the fields of our own answers that an app may read.
	corsExposed = "ETag, Link, Location, Retry-After, X-Request-Id"
	corsMaxAge  = "600" // seconds for which a browser may cache the answer to a preflight
)

// cors lets the pages of cors.allowed_origins read the answers of the API and of our endpoints, 401
// included, with the session cookie (Fetch §3.2). Other origins get no CORS header. Without allowed
// origins it does nothing: the app then has our own origin.
func (s *Server) cors(next echo.HandlerFunc) echo.HandlerFunc {
	if !s.site.AllowsOrigins() {
		return next
	}
	return func(c echo.Context) error {
		r, h := c.Request(), c.Response().Header()
		h.Add("Vary", "Origin")
		origin, ok := s.site.AllowedOrigin(r)
		if !ok {
			return next(c)
		}
		h.Set("Access-Control-Allow-Origin", origin)
		h.Set("Access-Control-Allow-Credentials", "true")
		// Forward-auth answers for a reverse proxy. A preflight there belongs to the application: a
		// 2xx from here would let it pass unchecked.
		forwardAuth := site.Below(r.URL.EscapedPath(), s.site.Path("/auth"))
		if !isPreflight(r) || forwardAuth {
			h.Set("Access-Control-Expose-Headers", corsExposed)
			return next(c)
		}
		return answerPreflight(c)
	}
}

// corsOfEndpoints is cors for our endpoints, those below the base path.
func (s *Server) corsOfEndpoints(next echo.HandlerFunc) echo.HandlerFunc {
	withCORS := s.cors(next)
	return func(c echo.Context) error {
		if s.site.Owns(c.Path()) {
			return withCORS(c)
		}
		return next(c)
	}
}

// isPreflight reports whether r is a CORS preflight (Fetch §3.2.2).
func isPreflight(r *http.Request) bool {
	return r.Method == http.MethodOptions && r.Header.Get("Access-Control-Request-Method") != ""
}

// answerPreflight answers a preflight from an allowed origin.
func answerPreflight(c echo.Context) error {
	r, h := c.Request(), c.Response().Header()
	h.Add("Vary", "Access-Control-Request-Method, Access-Control-Request-Headers")
	h.Set("Access-Control-Allow-Methods", corsMethods)
	if asked := strings.Join(r.Header["Access-Control-Request-Headers"], ","); asked != "" {
		h.Set("Access-Control-Allow-Headers", asked)
	}
	h.Set("Access-Control-Max-Age", corsMaxAge)
	h.Set("Cache-Control", "no-store")
	return c.NoContent(http.StatusNoContent)
}
