package server

import (
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/cloakroom/cloakroom/problem"
	"github.com/cloakroom/cloakroom/proxy"
	"github.com/cloakroom/cloakroom/requestlog"
	"github.com/cloakroom/cloakroom/site"
)

// headers sets what every answer of ours bears; a page or a proxied answer may replace it.
func (s *Server) headers(next echo.HandlerFunc) echo.HandlerFunc {
	secure := s.cfg.Secure()
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
		slog.Float64("took_ms", float64(time.Since(start).Microseconds())/1000), slog.String("client", proxy.ClientAddr(r, s.cfg.Server.TrustedProxies).String()),
	}
	s.log.LogAttrs(r.Context(), level, "request", append(attrs, notes.Attrs()...)...)
}

// requestID is the one a trusted proxy gave, if it is short and plain, otherwise a new one.
func (s *Server) requestID(r *http.Request) string {
	given := r.Header.Get("X-Request-Id")
	if given != "" && len(given) <= 64 && strings.Trim(given, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_") == "" && s.fromTrustedProxy(r) {
		return given
	}
	return requestlog.NewID()
}

func (s *Server) fromTrustedProxy(r *http.Request) bool {
	peer, err := netip.ParseAddrPort(r.RemoteAddr)
	return err == nil && site.Trusted(s.cfg.Server.TrustedProxies, peer.Addr())
}

// byHTTP reports whether trusted proxies say that the browser asked without encryption.
func (s *Server) byHTTP(r *http.Request) bool {
	return strings.EqualFold(site.Forwarded(r, s.cfg.Server.TrustedProxies).Proto, "http")
}

// clientAddr is the browser's address, which package login shortens before it keeps it.
func (s *Server) clientAddr(r *http.Request) string {
	return proxy.ClientAddr(r, s.cfg.Server.TrustedProxies).String()
}

// knownHost refuses requests for another authority (RFC 9112 §3.2, RFC 9110 §7.4): the host is used
// nowhere in an answer, but a name that an attacker rebound to this address must not reach the
// app's cookies either. Addresses are let through, for probes; no name can be rebound to one. Trusted
// proxies that ask under names of their own say in X-Forwarded-Host or Forwarded which one the browser asked for.
func (s *Server) knownHost(next echo.HandlerFunc) echo.HandlerFunc {
	want := hostname(s.cfg.Server.PublicURL.Host)
	loopback := isLoopback(want)
	return func(c echo.Context) error {
		r := c.Request()
		got := hostname(r.Host)
		if got != want {
			if given := site.Forwarded(r, s.cfg.Server.TrustedProxies).Host; given != "" {
				got = hostname(given)
			}
		}
		if _, err := netip.ParseAddr(strings.Trim(got, "[]")); got == want || err == nil || loopback && isLoopback(got) {
			return next(c)
		}
		return problem.New(problem.MisdirectedRequest)
	}
}

// hostname is the name of an authority, lower case, without its port.
func hostname(authority string) string {
	u := url.URL{Host: authority}
	return strings.ToLower(strings.TrimSuffix(u.Hostname(), "."))
}

func isLoopback(host string) bool {
	if host == "localhost" || strings.HasSuffix(host, ".localhost") {
		return true
	}
	ip := net.ParseIP(host)
	return ip != nil && ip.IsLoopback()
}
