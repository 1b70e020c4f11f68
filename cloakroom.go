// Package cloakroom is the whole service as a part of a Go program: its endpoints, its routes and
// its sessions, without listeners of its own.
//
// New makes a Service from a configuration. The program mounts its Handler, or puts its Middleware
// in front of an app of its own, and asks Session who is logged in. The command cloakroom is made of
// the same parts (package server) and adds listeners alone, so all that the documentation says of
// endpoints, cookies and errors holds here, too.
//
// The weak point is what only a listener can do: limits on callers that stall, and an orderly stop.
// They are the program's; docs/embedding.md lists them.
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

// Options are what a configuration does not say. The zero value works.
type Options struct {
	Logger *slog.Logger // nil: slog.Default
	// Metrics gets the Service's own until Close. Two services need two; see
	// prometheus.WrapRegistererWith. nil: Admin alone shows them.
	Metrics prometheus.Registerer
	// Store takes the place of the one that Config.Store names. Config.Keys must then be set. The
	// program closes it, after the Service. The zero value: what the configuration says.
	Store storage.Store

	// Admit decides whether a user whose login has been verified gets a session: at each login, silent
	// ones and step-ups too. An error that Refuse returns refuses it: the user sees an error page with
	// the code access_denied. After any other error the page says internal_error. Either way the tokens
	// are revoked. It must be quick: ten seconds are all that the whole login has. nil: every user gets
	// one.
	Admit func(ctx context.Context, u User) error
	// Claims changes what GET /bff/user shows of a user: claims are those of the login, numbers among
	// them json.Number. The map as Claims leaves it is shown, except for names that begin with bff:. The
	// request fails with its error. It must add no token: whatever it adds, scripts of the app can read.
	// nil: the claims are shown as they are.
	Claims func(ctx context.Context, s *Session, claims map[string]any) error

	Now       func() time.Time  // this machine's clock, for tests; nil: time.Now
	Transport http.RoundTripper // of all requests to providers; nil: as each one's configuration says
}

// A Service is a whole cloakroom but for its listeners. It is safe for concurrent use.
type Service struct {
	server *server.Server
	close  func() error
}

// New makes a Service and starts its workers. It asks no provider for anything: one that is down
// does not stop it. cfg may be one that config.Load has read, or one that the program has made,
// beginning with config.New; its faults are all in the error. What it says of listeners and of the
// log has no meaning, but for Listen.ShutdownTimeout. cfg does not change, and must not be changed.
// The caller calls Close.
func New(cfg *config.Config, o Options) (*Service, error) {
	own := *cfg
	own.Listen.Address, own.Listen.Admin = "127.0.0.1:0", "" // so that no upstream is taken for them
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

// Close waits until renewals under way are saved, for Config.Listen.ShutdownTimeout at most, and stops
// the workers. By then the program must pass no more requests on, as after http.Server.Shutdown.
// Further calls return what the first did.
func (s *Service) Close() error { return s.close() }

// Drain ends event streams and WebSockets, whose browsers are told to come back, and has Admin say
// that the service is not ready. Everything else is answered as before. Pass it to
// http.Server.RegisterOnShutdown: Shutdown waits for what is under way, and streams end by nothing
// else.
func (s *Service) Drain() { s.server.Drain() }

// Handler answers all that browsers ask for: the endpoints below the base path, the routes, and the
// app that Config.SPA names.
func (s *Service) Handler() http.Handler { return s.server.Handler() }

// Admin answers health, readiness, metrics and the admin API. It is for a listener that browsers
// can't reach.
func (s *Service) Admin() http.Handler { return s.server.Admin() }

// Middleware answers requests for the endpoints and the routes, however their paths are spelled, as
// Handler does. All other requests go to next, untouched, and so do its answers.
func (s *Service) Middleware(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if s.server.Answers(r) {
			s.server.Handler().ServeHTTP(w, r)
			return
		}
		next.ServeHTTP(w, r)
	})
}

// EchoMiddleware is Middleware for Echo. Give it to Echo.Use or Echo.Pre, before what reads or
// changes requests; a group's Use would leave most of its paths out.
func (s *Service) EchoMiddleware(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		if !s.server.Answers(c.Request()) {
			return next(c)
		}
		s.server.Handler().ServeHTTP(c.Response(), c.Request())
		return nil
	}
}

// LoginURL is the path at which a login begins that leads back to returnURL, a path of this origin.
func (s *Service) LoginURL(returnURL string) string { return s.server.Site().LoginBackTo(returnURL) }

// CheckCSRF returns an error for Fail unless r shows that a page of the public origin, or of one of
// Config.Site.AllowedOrigins, has sent it: it has the header X-CSRF: 1 and no mark of another origin.
// Handlers of the program that change something for who is logged in must ask it, or have a defence
// of their own: a session cookie alone does not tell who made the browser send it.
func (s *Service) CheckCSRF(r *http.Request) error {
	if !s.server.Site().Admits(r, site.ForHeader) {
		return problem.New(problem.CSRF)
	}
	return nil
}

// Fail answers r with an error of this package, as the service's own endpoints do: problem details
// (RFC 9457) for scripts, with where to log in if nobody is; a page for who navigates. Any other
// error is an internal_error, whose text goes to the log alone.
func (s *Service) Fail(w http.ResponseWriter, r *http.Request, err error) { s.server.Fail(w, r, err) }

// Refuse returns the error by which Options.Admit refuses a login. The user reads the reason, which
// may be empty.
func Refuse(reason string) error { return &login.RefusalError{Reason: reason} }

// admit is Options.Admit as package login calls it.
func admit(o Options) func(context.Context, login.Candidate) error {
	if o.Admit == nil {
		return nil
	}
	return func(ctx context.Context, who login.Candidate) error {
		return o.Admit(ctx, User{Provider: who.Provider, Subject: who.Subject, claims: who.Claims})
	}
}

// claims is Options.Claims as package handlers calls it.
func (s *Service) claims(o Options) func(context.Context, *session.Session, map[string]any) error {
	if o.Claims == nil {
		return nil
	}
	return func(ctx context.Context, found *session.Session, claims map[string]any) error {
		return o.Claims(ctx, s.sessionOf(found), claims)
	}
}
