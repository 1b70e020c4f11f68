package server

import (
	"net/http"
	"slices"
	"strings"

	"github.com/labstack/echo/v4"
)

const (
	corsMethods = "GET, HEAD, POST, PUT, PATCH, DELETE"
	// corsExposed are the fields of our own answers that an app may want to read.
	corsExposed = "ETag, Link, Location, Retry-After, X-Request-Id"
	corsMaxAge  = "600" // seconds that a browser may remember a preflight's answer
)

// cors lets the pages of cors.allowed_origins read what the API and our endpoints answer, 401s too, with the session
// cookie (Fetch §3.2). An origin is compared byte for byte; one that is not named gets no word about it. Without any
// there is nothing to do: the app is of our own origin.
func (s *Server) cors(next echo.HandlerFunc) echo.HandlerFunc {
	allowed := s.cfg.CORS.AllowedOrigins
	if len(allowed) == 0 {
		return next
	}
	return func(c echo.Context) error {
		r, h := c.Request(), c.Response().Header()
		h.Add("Vary", "Origin")
		origins := r.Header["Origin"]
		if len(origins) != 1 || !slices.Contains(allowed, origins[0]) {
			return next(c)
		}
		h.Set("Access-Control-Allow-Origin", origins[0])
		h.Set("Access-Control-Allow-Credentials", "true")
		// A preflight that a reverse proxy asks about is the application's to answer; 2xx would let it in unseen.
		if r.Method != http.MethodOptions || r.Header.Get("Access-Control-Request-Method") == "" || s.authPath(r.URL.EscapedPath()) {
			h.Set("Access-Control-Expose-Headers", corsExposed)
			return next(c)
		}
		return permit(c)
	}
}

// corsOfEndpoints is cors for what the router finds below the base path; elsewhere sees to the rest.
func (s *Server) corsOfEndpoints(next echo.HandlerFunc) echo.HandlerFunc {
	withCORS := s.cors(next)
	return func(c echo.Context) error {
		if strings.HasPrefix(c.Path(), s.cfg.Server.BasePath) {
			return withCORS(c)
		}
		return next(c)
	}
}

// permit answers the preflight of a page that may call us.
func permit(c echo.Context) error {
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
