// Package headers owns the security headers of every answer of our own endpoints, on both listeners
// and wherever the endpoints are mounted.
//
// It must not know any endpoint: a handler that needs another value sets it afterwards, as pages do
// with their policy. Headers for the whole origin (HSTS) are package server's.
package headers

import "github.com/labstack/echo/v4"

// defaults are the headers and their values. Scripts of the same origin read the answers, or the
// browser shows them as pages or follows them as redirects: none belongs in a cache, a frame or a
// page of another origin.
var defaults = [...][2]string{
	{"Cache-Control", "no-store"},
	{"Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'"},
	{"Cross-Origin-Opener-Policy", "same-origin"},
	{"Cross-Origin-Resource-Policy", "same-origin"},
	{"Permissions-Policy", "camera=(), geolocation=(), microphone=()"},
	{"Referrer-Policy", "no-referrer"},
	{"X-Content-Type-Options", "nosniff"},
	{"X-Frame-Options", "DENY"},
}

// Endpoint is the middleware that sets the headers before the endpoint answers.
func Endpoint(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		h := c.Response().Header()
		for _, field := range defaults {
			h.Set(field[0], field[1])
		}
		return next(c)
	}
}
