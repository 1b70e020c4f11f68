// Package headers owns the security headers that every answer of our own endpoints bears, on either
// listener and wherever the endpoints are mounted.
//
// It must not know an endpoint: a handler that needs another value, as pages need another policy,
// sets it after this. What the whole origin promises (HSTS) is package server's.
package headers

import "github.com/labstack/echo/v4"

// promised are the headers and their values. The answers are read by scripts of the same origin,
// shown as pages, or followed as redirects: none of them belongs into a cache, a frame or another
// origin's page.
var promised = [...][2]string{
	{"Cache-Control", "no-store"},
	{"Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'"},
	{"Cross-Origin-Opener-Policy", "same-origin"},
	{"Cross-Origin-Resource-Policy", "same-origin"},
	{"Permissions-Policy", "camera=(), geolocation=(), microphone=()"},
	{"Referrer-Policy", "no-referrer"},
	{"X-Content-Type-Options", "nosniff"},
	{"X-Frame-Options", "DENY"},
}

// Endpoint is the middleware that sets them before the endpoint answers.
func Endpoint(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		h := c.Response().Header()
		for _, field := range promised {
			h.Set(field[0], field[1])
		}
		return next(c)
	}
}
