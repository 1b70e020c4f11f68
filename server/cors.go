package server

import (
	"net/http"
	"strings"

	"github.com/labstack/echo/v4"

	"github.com/cloakroom/cloakroom/site"
)

const (
	corsMethods = "GET, HEAD, POST, PUT, PATCH, DELETE"
	// corsExposed are the fields of our own answers that an app may want to read.
	corsExposed = "ETag, Link, Location, Retry-After, X-Request-Id"
	corsMaxAge  = "600" // seconds that a browser may remember a preflight's answer
)

// cors lets the pages of cors.allowed_origins read what the API and our endpoints answer, 401s too, with the session
// cookie (Fetch §3.2). An origin that is not named gets no word about it. Without any
// there is nothing to do: the app is of our own origin.
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
		// A preflight that a reverse proxy asks about is the application's to answer; 2xx would let it in unseen.
		if r.Method != http.MethodOptions || r.Header.Get("Access-Control-Request-Method") == "" || site.Below(r.URL.EscapedPath(), s.site.Path("/auth")) {
			h.Set("Access-Control-Expose-Headers", corsExposed)
			return next(c)
		}
		return answerPreflight(c)
	}
}

// corsOfEndpoints is cors for what the router found below the base path.
func (s *Server) corsOfEndpoints(next echo.HandlerFunc) echo.HandlerFunc {
	withCORS := s.cors(next)
	return func(c echo.Context) error {
		if s.site.Owns(c.Path()) {
			return withCORS(c)
		}
		return next(c)
	}
}

// answerPreflight answers the preflight of a page that may call us.
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
