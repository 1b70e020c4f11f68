// Package cloakroom embeds the whole service in a Go program: its endpoints, its routes and its
// sessions. It does not listen on any port.
//
// New makes a Service from a configuration. The program mounts its Handler, or puts its Middleware
// in front of its own handlers, and calls Session to learn who is logged in. The command cloakroom
// is made of the same parts (package server) and adds only the listeners. So everything that the
// documentation says about endpoints, cookies and errors applies here, too.
//
// Its weak point is that a listener has duties which this package can't fulfil: limits on clients
// that stall, and a graceful shutdown. The program must do that itself; docs/embedding.md lists
// what it takes.
package cloakroom

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"sync"
	"time"

	"github.com/labstack/echo/v4"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/cloakroom/cloakroom/config"
	"github.com/cloakroom/cloakroom/problem"
	"github.com/cloakroom/cloakroom/server"
	"github.com/cloakroom/cloakroom/session"
	"github.com/cloakroom/cloakroom/session/login"
	"github.com/cloakroom/cloakroom/session/storage"
	"github.com/cloakroom/cloakroom/site"
)

// Options are the settings that a configuration file can't contain. The zero value is valid.
type Options struct {
	Logger *slog.Logger // nil: slog.Default
	// Metrics is where the Service registers its metrics, until Close. Each Service of a program
	// needs its own registerer; see prometheus.WrapRegistererWith. If it is nil, only Admin shows
	// the metrics.
	Metrics prometheus.Registerer
	// Store is used instead of the store that Config.Store names, unless it is the zero value. It
	// requires Config.Keys. The program closes it after it has closed the Service.
	Store storage.Store

	// Admit is called at each login, including silent ones and step-ups, once the login has been
	// verified. If it returns nil, the user gets a session. If it returns an error made by Refuse,
	// the user sees an error page with the code access_denied; after any other error, one with
	// internal_error. In both cases the tokens are revoked. Admit must be quick, because the whole
	// login has only ten seconds. If Admit is nil, every user gets a session.
	Admit func(ctx context.Context, u User) error
	// Claims changes what GET /bff/user shows. It gets the claims of the login, with numbers as
	// json.Number, and may change the map; the endpoint then shows the map without names that begin
	// with bff:. If Claims returns an error, the request fails with it. Claims must not add a
	// token, because scripts of the app can read everything that the endpoint shows. If Claims is
	// nil, the claims are shown unchanged.
	Claims func(ctx context.Context, s *Session, claims map[string]any) error

	Now       func() time.Time  // this machine's clock, for tests; nil: time.Now
	Transport http.RoundTripper // for all requests to providers; nil: made from their configuration
}

// A Service is a complete cloakroom without listeners. It is safe for concurrent use.
type Service struct {
	server *server.Server
	close  func() error
}

// New makes a Service and starts its workers. It sends no request to a provider, so it succeeds
// even if one is down. cfg comes from config.Load, or the program makes it, starting from
// config.New. The error lists all faults of cfg. New ignores what cfg says about listeners and the
// log, except for Listen.ShutdownTimeout. New does not modify cfg, and the caller must not modify
// it afterwards. The caller must call Close.
func New(cfg *config.Config, o Options) (*Service, error) {
	own := *cfg
	own.Listen.Address, own.Listen.Admin = "127.0.0.1:0", "" // so that no upstream looks like one of our own listeners
	complete, err := own.Complete()
	if err != nil {
		return nil, fmt.Errorf("set up cloakroom: %w", err)
	}
	s := &Service{}
	s.server, err = server.New(context.Background(), complete, server.Options{
		Logger: o.Logger, Now: o.Now, Store: o.Store, Transport: o.Transport, Metrics: o.Metrics,
		Admit: admit(o), Claims: s.claims(o),
	})
	if err != nil {
		return nil, fmt.Errorf("set up cloakroom: %w", err)
	}
	s.server.Start()
	s.close = sync.OnceValue(s.server.Close)
	return s, nil
}

// Close waits until the renewals in progress are saved, for Config.Listen.ShutdownTimeout at most,
// and stops the workers. Call it after http.Server.Shutdown: the Service must get no more requests.
// Further calls return the result of the first.
func (s *Service) Close() error { return s.close() }

// Drain ends event streams and WebSockets, and tells their browsers to reconnect. From then on,
// Admin reports that the service is not ready. All other requests are answered as before. Pass
// Drain to http.Server.RegisterOnShutdown: Shutdown waits for requests in progress, and streams
// would not end otherwise.
func (s *Service) Drain() { s.server.Drain() }

// Handler returns the handler for all requests of browsers: for the endpoints below the base path,
// the routes, and the app that Config.SPA names.
func (s *Service) Handler() http.Handler { return s.server.Handler() }

// Admin returns the handler for health checks, metrics and the admin API. Use it only on a listener
// that browsers can't reach.
func (s *Service) Admin() http.Handler { return s.server.Admin() }

// Middleware returns a handler that answers requests for the endpoints and the routes as Handler
// does, in every spelling of their paths. It passes all other requests to next, and changes neither
// them nor the responses of next.
func (s *Service) Middleware(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if s.server.Answers(r) {
			s.server.Handler().ServeHTTP(w, r)
			return
		}
		next.ServeHTTP(w, r)
	})
}

// EchoMiddleware is Middleware for Echo. Pass it to Echo.Use or Echo.Pre, before any middleware
// that reads or changes requests. A group's Use is not enough: it would get only the paths of the
// group.
func (s *Service) EchoMiddleware(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		if !s.server.Answers(c.Request()) {
			return next(c)
		}
		s.server.Handler().ServeHTTP(c.Response(), c.Request())
		return nil
	}
}

// LoginURL returns the path that starts a login. After the login, the browser is redirected to
// returnURL, which must be a path of this origin.
func (s *Service) LoginURL(returnURL string) string { return s.server.Site().LoginBackTo(returnURL) }

// CheckCSRF returns nil if a page of the public origin, or of one of Config.Site.AllowedOrigins, has
// sent r: r has the header X-CSRF: 1, and no header says that it comes from another origin. If not,
// it returns an error for Fail. A handler of the program that changes something for a logged-in user
// must call CheckCSRF or have a CSRF protection of its own: browsers send the session cookie with
// requests that other sites forge, too.
func (s *Service) CheckCSRF(r *http.Request) error {
	if !s.server.Site().Admits(r, site.ForHeader) {
		return problem.New(problem.CSRF)
	}
	return nil
}

// Fail answers r with an error of this package, as the service's own endpoints do. A script gets
// problem details (RFC 9457), with the login URL if nobody is logged in; a navigation gets a page.
// Any other error is answered as internal_error, and its text is only logged.
func (s *Service) Fail(w http.ResponseWriter, r *http.Request, err error) { s.server.Fail(w, r, err) }

// Refuse returns an error with which Options.Admit refuses a login. The error page shows the
// reason, which may be empty.
func Refuse(reason string) error { return &login.RefusalError{Reason: reason} }

// admit adapts Options.Admit to package login.
func admit(o Options) func(context.Context, login.Candidate) error {
	if o.Admit == nil {
		return nil
	}
	return func(ctx context.Context, who login.Candidate) error {
		return o.Admit(ctx, User{Provider: who.Provider, Subject: who.Subject, claims: who.Claims})
	}
}

// claims adapts Options.Claims to package handlers.
func (s *Service) claims(o Options) func(context.Context, *session.Session, map[string]any) error {
	if o.Claims == nil {
		return nil
	}
	return func(ctx context.Context, found *session.Session, claims map[string]any) error {
		return o.Claims(ctx, s.sessionOf(found), claims)
	}
}
