// Package server is the composition root: it builds everything from a configuration (New), and
// serves it on two listeners (Listen, Run). A program that has listeners of its own uses Handler,
// Start and Close instead of Listen and Run.
//
// This package alone decides the order of the middleware, what each listener answers, and the order
// in which things stop. The tests and the demo run this very package. It decides nothing about
// tokens, cookies or pages.
//
// # Echo
//
// Echo routes our own endpoints: packages handlers and handlers/admin have an ordered table each,
// with one route per row. A route at /* passes everything else to package proxy's table or to the
// app. Of Echo's middleware, both listeners use RequestLogger and Recover. The others don't fit:
//
//   - RequestID takes an id from anybody; here only a trusted proxy may send one, and it must be
//     short and plain.
//   - Secure sends HSTS to anybody who claims https in X-Forwarded-Proto, and sets only four of the
//     eight headers that endpoints promise.
//   - CORS takes every OPTIONS request for a preflight, reads origins as patterns, and answers
//     preflights of origins that are not allowed.
//   - CSRF needs tokens in a cookie of its own; package site uses the Fetch Metadata and Origin
//     that browsers send.
//   - BodyLimit has one limit for everything, applies it before method, origin and route are
//     checked, and does not close the connection; the proxy and the endpoints that read a form have
//     limits of their own.
//   - ContextTimeout and Timeout end streams, which have no limit, and Timeout keeps whole answers
//     in memory.
//   - KeyAuth tries each of several Authorization fields; the admin API takes only the first.
//   - RateLimiter counts requests; logins are limited by the codes that the provider refused.
//   - Gzip would compress an API's streams, and secrets together with text that the caller chose
//     (BREACH).
//   - Proxy does not choose the longest prefix in the form that is forwarded, and does not repeat
//     a request with a renewed token.
//   - Static sends no Content-Security-Policy with the app's page.
//   - Rewrite, MethodOverride and the middleware for slashes change a request after it was checked.
package server

import (
	"context"
	"errors"
	"io/fs"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/cloakroom/cloakroom/config"
	"github.com/cloakroom/cloakroom/handlers"
	"github.com/cloakroom/cloakroom/keys"
	"github.com/cloakroom/cloakroom/listen"
	"github.com/cloakroom/cloakroom/provider"
	"github.com/cloakroom/cloakroom/proxy"
	"github.com/cloakroom/cloakroom/requestlog"
	"github.com/cloakroom/cloakroom/session"
	"github.com/cloakroom/cloakroom/session/clock"
	"github.com/cloakroom/cloakroom/session/login"
	"github.com/cloakroom/cloakroom/session/renewal"
	"github.com/cloakroom/cloakroom/session/revocation"
	"github.com/cloakroom/cloakroom/session/storage"
	"github.com/cloakroom/cloakroom/site"
)

// Options hold what a configuration can not. The zero value works.
type Options struct {
	Logger  *slog.Logger     // nil: slog.Default
	Now     func() time.Time // this machine's clock, which may be wrong; nil: time.Now
	Version string           // for User-Agent at providers; "": from the build information
	Notify  Notify           // callbacks of Run
	SPA     fs.FS            // an embedded app to serve in place of spa.dir; nil: what the configuration says

	// Store is used instead of the one that session.store names. It is treated as one that replicas
	// share: calls have a timeout, and the store's time is used. session.keys must be set. The
	// caller closes it, after Close. The zero value means the store of the configuration.
	Store storage.Store
	// Admit and Claims are hooks of a program that embeds this service; see login.Options and
	// handlers.Options. nil means that there is none.
	Admit  func(ctx context.Context, who login.Candidate) error
	Claims func(ctx context.Context, s *session.Session, claims map[string]any) error
	// Transport sends all requests to providers; nil means one transport for each provider, with
	// the certificates of its configuration.
	Transport http.RoundTripper
	// Metrics gets this service's own metrics until Close. Two services need two registries; see
	// prometheus.WrapRegistererWith. With nil, only the admin listener has them.
	Metrics prometheus.Registerer
}

// Notify holds callbacks for the program that runs the service; nil functions are not called.
type Notify struct {
	Ready    func() // the service accepts requests
	Stopping func() // the service begins to stop
}

// A Server is a whole cloakroom: the handlers, the workers behind them, and the listeners, if
// Listen was called.
type Server struct {
	cfg        *config.Config
	o          Options
	site       *site.Site
	log        *slog.Logger
	clock      *clock.Clock
	now        func() time.Time     // the clock's: the time that replicas share
	registry   *prometheus.Registry // of this service's own metrics
	registered bool                 // registry is part of Options.Metrics
	store      storage.Store        // each worker is handed its part
	opened     storage.Connection   // to session.store; nil with Options.Store
	sessions   *session.Manager
	keys       *keys.Ring           // Reload replaces its content, for all who hold it
	ownKey     *keys.Key            // made for a memory store, if no keys are configured
	providers  []*provider.Provider // in the operator's order
	byID       map[string]*provider.Provider
	renewer    *renewal.Renewer
	clients    *renewal.ClientTokens
	outbox     *revocation.Worker

	login     *login.Login
	bff       *handlers.Handlers
	api       *proxy.Proxy
	problems  *handlers.ErrorWriter
	draining  atomic.Bool     // about to stop: not ready, and connections are closed after an answer
	stopping  context.Context // ends when streams must end
	stop      context.CancelFunc
	reloading sync.Mutex // one at a time

	background  sync.WaitGroup // the workers that Start has started
	stopWorkers context.CancelFunc

	public, admin               net.Listener   // nil before Listen; admin also without server.admin_listen
	limits                      *listen.Limits // on how long the service waits for clients
	publicHandler, adminHandler swappable
}

// New opens the store and builds everything. It opens no port, starts no worker, and sends no
// request to a provider: one that is down does not stop the start. cfg is never changed. The caller
// then calls Listen and Run, or Start and Close.
func New(ctx context.Context, cfg *config.Config, o Options) (*Server, error) {
	app, err := site.New(cfg.Site)
	if err != nil {
		return nil, err
	}
	s := newServer(cfg, app, o)
	for _, w := range cfg.Warnings {
		s.log.WarnContext(ctx, w)
	}
	if err := s.build(ctx); err != nil {
		return nil, errors.Join(err, s.close())
	}
	return s, nil
}

// newServer returns a Server without its parts. It may be closed.
func newServer(cfg *config.Config, app *site.Site, o Options) *Server {
	if o.Logger == nil {
		o.Logger = slog.Default()
	}
	s := &Server{
		cfg: cfg, o: o, site: app, log: slog.New(requestlog.Handler(o.Logger.Handler())),
		registry: prometheus.NewRegistry(), stopWorkers: func() {},
	}
	s.stopping, s.stop = context.WithCancel(context.Background())
	s.buildClock()
	return s
}

// build makes the parts, in the order in which they depend on each other.
func (s *Server) build(ctx context.Context) (err error) {
	if s.keys, err = s.readKeys(s.cfg); err != nil {
		return err
	}
	if err := s.buildSessions(ctx); err != nil {
		return err
	}
	if err := s.checkKeys(ctx); err != nil {
		return err
	}
	if err := s.buildProviders(); err != nil {
		return err
	}
	s.buildWorkers()
	if err := s.buildHandlers(); err != nil {
		return err
	}
	return s.registerMetrics()
}
