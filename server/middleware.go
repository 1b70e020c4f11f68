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

// headers sets what every answer of ours bears; a page or a proxied answer may replace it.
func (s *Server) headers(next echo.HandlerFunc) echo.HandlerFunc {
	secure := s.site.Secure()
	return func(c echo.Context) error {
		h := c.Response().Header()
		h.Set("X-Content-Type-Options", "nosniff")
		if s.draining.Load() {
			h.Set("Connection", "close") // the next request had better come over a connection to another replica
		}
		if r := c.Request(); r.ProtoMajor == 1 && len(r.TransferEncoding) > 0 {
			// net/http takes a Content-Length beside Transfer-Encoding away without a word, so whether
			// there was one can't be told; the connection behind such a request must close (RFC 9112 §6.1).
			h.Set("Connection", "close")
		}
		if secure {
			h.Set("Strict-Transport-Security", "max-age=31536000; includeSubDomains")
		}
		return next(c)
	}
}

// commonMiddleware is what stands in front of everything on either listener, the outermost first.
// Errors and panics are answered inside the request log, so that its line has the status.
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

// answerErrors has Echo's error handler answer an error at once. It stands inside Recover, which so
// answers a panic of the error handler, too.
func answerErrors(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		if err := next(c); err != nil {
			c.Error(err)
		}
		return nil
	}
}

// withRequestID gives each request its id, which the answer and all its log lines bear, and room
// for notes on errors.
func (s *Server) withRequestID(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		r := c.Request()
		id := s.requestID(r)
		c.SetRequest(r.WithContext(requestlog.WithNotes(requestlog.WithID(r.Context(), id))))
		c.Response().Header().Set("X-Request-Id", id)
		return next(c)
	}
}

// panicError is the error that a panic is answered as; the process goes on. It isn't called for
// http.ErrAbortHandler, which is no fault: the proxy cuts an answer with it that it can't finish,
// and the connection must be cut, too.
func panicError(_ echo.Context, err error, _ []byte) error { return fmt.Errorf("panic: %v", err) }

// logRequest writes the one line of a request that is done. The query is left out: on the callback
// it holds the code.
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

// requestID is the one a trusted proxy gave, if it is short and plain, otherwise a new one.
func (s *Server) requestID(r *http.Request) string {
	given := r.Header.Get("X-Request-Id")
	if given != "" && len(given) <= 64 && strings.Trim(given, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_") == "" && s.site.TrustsPeer(r) {
		return given
	}
	return requestlog.NewID()
}

// knownHost refuses requests for another authority: the host is used nowhere in an answer, but a name
// that an attacker rebound to this address must not reach the app's cookies either.
func (s *Server) knownHost(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		if !s.site.KnownHost(c.Request()) {
			return problem.New(problem.MisdirectedRequest)
		}
		return next(c)
	}
}
