// Package server is the composition root: it builds everything from a configuration (New), and
// serves it on two listeners (Listen, Run). What listens by itself takes what New made and leaves
// the rest: Handler or Middleware, Start, Close.
//
// Here, and nowhere else, it is decided what stands in front of what: the order of the middleware,
// which listener answers what, and the order in which things stop. The tests and the demo run this
// very package. It decides nothing about tokens, cookies or pages.
//
// # Echo
//
// Echo routes our own endpoints: packages handlers and handlers/admin have an ordered table each,
// one route in each row. A route at /* takes the rest and hands it to package proxy's table or to
// the app. RequestLogger and Recover of Echo's middleware stand in front of both listeners. The
// others don't fit:
//
//   - RequestID takes an id from anybody; only a trusted proxy may give one, and a short and plain
//     one.
//   - Secure sends HSTS to whoever claims https in X-Forwarded-Proto, and knows four of the eight
//     headers that endpoints promise.
//   - CORS takes every OPTIONS request for a preflight, reads origins as patterns, and answers
//     preflights of origins that are not allowed.
//   - CSRF hands out tokens in a cookie of its own; package site goes by what browsers say of a
//     request.
//   - BodyLimit puts one limit on everything before the method, the origin and the route are
//     judged, and does not close the connection; the proxy and the endpoints that read a form have
//     limits of their own.
//   - ContextTimeout and Timeout end streams, which have no limit, and Timeout keeps whole answers
//     in memory.
//   - KeyAuth tries each of several Authorization fields; the admin API takes the first alone.
//   - RateLimiter counts requests; logins are limited by the codes that the provider refused.
//   - Gzip would compress an API's streams, and secrets together with what a caller chose
//     (BREACH).
//   - Proxy does not choose the longest prefix in the form that is forwarded, and repeats no
//     request with a renewed token.
//   - Static sends no Content-Security-Policy with the app's page.
//   - Rewrite, MethodOverride and the middleware for slashes change what was judged.
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

// Options are what a configuration does not say. The zero value works.
type Options struct {
	Logger  *slog.Logger     // nil: slog.Default
	Now     func() time.Time // this machine's clock, which may be wrong; nil: time.Now
	Version string           // of this product, as providers are told it; "": as the build information says
	Notify  Notify           // by Run
	SPA     fs.FS            // an embedded app to serve in place of spa.dir; nil: what the configuration says

	// Store takes the place of the one that session.store names. It is treated as one that replicas
	// share: each call has a time-out, and its time is gone by. session.keys must be set. The caller
	// closes it, after Close. The zero value: what the configuration says.
	Store storage.Store
	// Admit and Claims are hooks of a program around this service; see login.Options and
	// handlers.Options. nil: there is none.
	Admit  func(ctx context.Context, who login.Candidate) error
	Claims func(ctx context.Context, s *session.Session, claims map[string]any) error
	// Transport sends all requests to providers; nil: one for each, with the certificates that its
	// configuration names.
	Transport http.RoundTripper
	// Metrics gets this service's own, for as long as it lives. Two services need two; see
	// prometheus.WrapRegistererWith. nil: they are on the admin listener alone.
	Metrics prometheus.Registerer
}

// Notify is told what whoever runs the service wants to know; nil functions are not called.
type Notify struct {
	Ready    func() // it serves
	Stopping func() // it was told to stop
}

// A Server is a whole cloakroom: what answers, the workers behind it, and the listeners, if Listen
// was called.
type Server struct {
	cfg       *config.Config
	o         Options
	site      *site.Site
	log       *slog.Logger
	clock     *clock.Clock
	now       func() time.Time     // the clock's: what replicas share
	registry  *prometheus.Registry // of this service's own
	shown     bool                 // by Options.Metrics
	store     storage.Store        // each worker is handed its part
	opened    storage.Connection   // of what was opened for session.store; nil with Options.Store
	sessions  *session.Manager
	keys      *keys.Ring           // replaced by Reload, for everybody who has it
	ownKey    *keys.Key            // of a store that ends with the process, where no keys are configured
	providers []*provider.Provider // in the operator's order
	byID      map[string]*provider.Provider
	renewer   *renewal.Renewer
	clients   *renewal.ClientTokens
	outbox    *revocation.Worker

	login     *login.Login
	bff       *handlers.Handlers
	api       *proxy.Proxy
	problems  *handlers.ErrorWriter
	draining  atomic.Bool     // about to stop: not ready, and connections are not kept
	stopping  context.Context // ended when requests that never end by themselves should
	stop      context.CancelFunc
	reloading sync.Mutex // one at a time

	background  sync.WaitGroup // what Start has started
	stopWorkers context.CancelFunc

	public, admin               net.Listener   // nil before Listen; admin also without server.admin_listen
	limits                      *listen.Limits // on waits for clients
	publicHandler, adminHandler swappable
}

// New opens the store and builds everything. It listens on no port and starts no worker, and asks
// no provider for anything: one that is down does not stop the start. cfg is not changed, now or
// later. Whoever gets a Server calls Listen and Run, or Start and Close.
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

// newServer is a Server without its parts, which may be closed.
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

// build makes the parts, those that others need first.
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
	return s.showMetrics()
}
