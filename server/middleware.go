package server

import (
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"time"

	"github.com/labstack/echo/v4"

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

// requestLog gives each request its id and, when it is done, its one line. The query is left out:
// on the callback it holds the code.
func (s *Server) requestLog(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		start := time.Now()
		r := c.Request()
		id := s.requestID(r)
		ctx, notes := requestlog.WithNotes(requestlog.WithID(r.Context(), id))
		c.SetRequest(r.WithContext(ctx))
		c.Response().Header().Set("X-Request-Id", id)
		defer func() {
			if p := recover(); p != nil {
				s.afterPanic(c, p)
			}
			s.logRequest(c, start, notes)
		}()
		if err := next(c); err != nil {
			c.Error(err)
		}
		return nil
	}
}

// afterPanic answers generically and keeps the process alive. http.ErrAbortHandler is no fault: it
// is how the proxy cuts an answer that it can't finish, and the connection must be cut with it.
func (s *Server) afterPanic(c echo.Context, p any) {
	if p == http.ErrAbortHandler {
		panic(p)
	}
	c.Error(fmt.Errorf("panic: %v", p))
}

func (s *Server) logRequest(c echo.Context, start time.Time, notes *requestlog.Notes) {
	r, status := c.Request(), c.Response().Status
	level := slog.LevelInfo
	if status >= http.StatusInternalServerError {
		level = slog.LevelWarn
	}
	if status == http.StatusInternalServerError {
		level = slog.LevelError
	}
	attrs := []slog.Attr{
		slog.String("request_id", requestlog.ID(r.Context())),
		slog.String("method", r.Method), slog.String("path", r.URL.EscapedPath()), slog.Int("status", status),
		slog.Float64("took_ms", float64(time.Since(start).Microseconds())/1000), slog.String("client", s.site.Forwarded(r).Client.String()),
	}
	s.log.LogAttrs(r.Context(), level, "request", append(attrs, notes.Attrs()...)...)
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
