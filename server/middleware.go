package server

import (
	"fmt"
	"log/slog"
	"net/http"
	"strings"

	"github.com/labstack/echo/v4"
	"github.com/labstack/echo/v4/middleware"

	"github.com/cloakroom/cloakroom/problem"
	"github.com/cloakroom/cloakroom/requestlog"
)

// headers sets the header fields that all our answers have; a page or a proxied answer may replace
// them.
func (s *Server) headers(next echo.HandlerFunc) echo.HandlerFunc {
	secure := s.site.Secure()
	return func(c echo.Context) error {
		h := c.Response().Header()
		h.Set("X-Content-Type-Options", "nosniff")
		if s.draining.Load() {
			h.Set("Connection", "close") // so that the next request goes to another replica
		}
		if r := c.Request(); r.ProtoMajor == 1 && len(r.TransferEncoding) > 0 {
			// net/http silently removes a Content-Length beside Transfer-Encoding, so that we can't
			// know whether there was one. The connection must close after such a request (RFC 9112
			// §6.1).
			h.Set("Connection", "close")
		}
		if secure {
			h.Set("Strict-Transport-Security", "max-age=31536000; includeSubDomains")
		}
		return next(c)
	}
}

// commonMiddleware returns the middleware of both listeners, the outermost first. Errors and panics
// are answered inside the request log, so that its line has the status.
func (s *Server) commonMiddleware() []echo.MiddlewareFunc {
	return []echo.MiddlewareFunc{
		s.withRequestID,
		middleware.RequestLoggerWithConfig(middleware.RequestLoggerConfig{
			LogValuesFunc: s.logRequest, LogLatency: true, LogMethod: true, LogStatus: true,
		}),
		middleware.RecoverWithConfig(middleware.RecoverConfig{
			LogErrorFunc: panicError, DisablePrintStack: true,
		}),
		answerErrors,
		s.headers,
	}
}

// answerErrors has Echo's error handler answer an error at once. It is inside Recover, so that a
// panic of the error handler is answered, too.
func answerErrors(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		if err := next(c); err != nil {
			c.Error(err)
		}
		return nil
	}
}

// withRequestID gives each request an id, which the answer and all its log lines have, and a place
// to note errors.
func (s *Server) withRequestID(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		r := c.Request()
		id := s.requestID(r)
		c.SetRequest(r.WithContext(requestlog.WithNotes(requestlog.WithID(r.Context(), id))))
		c.Response().Header().Set("X-Request-Id", id)
		return next(c)
	}
}

// panicError returns the error for a panic; the process goes on. It is not called for
// http.ErrAbortHandler, which is no fault: the proxy panics with it to close the connection of an
// answer that it can't finish.
func panicError(_ echo.Context, err error, _ []byte) error { return fmt.Errorf("panic: %v", err) }

// logRequest writes the one log line of a finished request. It leaves out the query, which holds
// the code on the callback.
func (s *Server) logRequest(c echo.Context, v middleware.RequestLoggerValues) error {
	level := slog.LevelInfo
	if v.Status >= http.StatusInternalServerError {
		level = slog.LevelWarn
	}
	if v.Status == http.StatusInternalServerError {
		level = slog.LevelError
	}
	r := c.Request()
	attrs := []slog.Attr{
		slog.String("request_id", requestlog.ID(r.Context())),
		slog.String("method", v.Method), slog.String("path", r.URL.EscapedPath()),
		slog.Int("status", v.Status),
		slog.Float64("took_ms", float64(v.Latency.Microseconds())/1000),
		slog.String("client", s.site.Forwarded(r).Client.String()),
	}
	s.log.LogAttrs(r.Context(), level, "request", append(attrs, requestlog.Attrs(r.Context())...)...)
	return nil
}

// idAlphabet are the characters of a request id.
const idAlphabet = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_"

// requestID returns the id that a trusted proxy sent, if it is short and plain; otherwise a new
// one.
func (s *Server) requestID(r *http.Request) string {
	given := r.Header.Get("X-Request-Id")
	plain := given != "" && len(given) <= 64 && strings.Trim(given, idAlphabet) == ""
	if plain && s.site.TrustsPeer(r) {
		return given
	}
	return requestlog.NewID()
}

// knownHost refuses requests for other hosts. No answer uses the host, but an attacker's name that
// was rebound to this address (DNS rebinding) must not reach the app either.
func (s *Server) knownHost(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		if !s.site.KnownHost(c.Request()) {
			return problem.New(problem.MisdirectedRequest)
		}
		return next(c)
	}
}
