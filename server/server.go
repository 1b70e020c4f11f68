// Package server is the composition root: it builds everything from a configuration and runs it.
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
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/cloakroom/cloakroom/config"
	"github.com/cloakroom/cloakroom/handlers"
	"github.com/cloakroom/cloakroom/keys"
	"github.com/cloakroom/cloakroom/listen"
	"github.com/cloakroom/cloakroom/provider"
	"github.com/cloakroom/cloakroom/requestlog"
	"github.com/cloakroom/cloakroom/session"
	"github.com/cloakroom/cloakroom/session/login"
	"github.com/cloakroom/cloakroom/session/renewal"
	"github.com/cloakroom/cloakroom/session/revocation"
	"github.com/cloakroom/cloakroom/site"
)

// Options are what a configuration does not say.
type Options struct {
	Logger *slog.Logger
	// Public and Admin are listeners that were opened for us, by systemd say; nil: server.listen and
	// server.admin_listen are opened.
	Public, Admin net.Listener
	Notify        Notify
	SPA           fs.FS            // an embedded app to serve in place of spa.dir; nil: what the configuration says
	Now           func() time.Time // this machine's clock, which may be wrong; nil: time.Now
	Version       string           // of this product, as providers are told it; "": as the build information says
}

// Notify is told what whoever started the service wants to know; nil functions are not called.
type Notify struct {
	Ready    func() // it serves
	Stopping func() // it was told to stop
}

// A Server is a whole cloakroom: both listeners and the workers behind them.
type Server struct {
	cfg       *config.Config
	site      *site.Site
	log       *slog.Logger
	clock     *session.Clock
	now       func() time.Time // the clock's: what replicas share
	registry  *prometheus.Registry
	version   string
	store     session.Store
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
	draining  atomic.Bool     // about to stop: not ready, and connections are not kept
	stopping  context.Context // ended when requests that never end by themselves should
	stop      context.CancelFunc
	patience  *listen.Patience // with callers
	notify    Notify
	reloading sync.Mutex // one at a time

	public, admin               net.Listener
	publicHandler, adminHandler swappable
}

// New opens the store and both listeners and builds what answers on them. It asks no provider for
// anything: one that is down does not stop the start. Whoever gets a Server calls Run, which closes
// all of it.
func New(ctx context.Context, cfg *config.Config, o Options) (*Server, error) {
	app, err := site.New(cfg.Site)
	if err != nil {
		return nil, err
	}
	s := &Server{cfg: cfg, site: app, log: slog.New(requestlog.Handler(o.Logger.Handler())), registry: newRegistry(), version: o.Version}
	s.buildClock(o.Now)
	s.public, s.admin, s.notify = o.Public, o.Admin, o.Notify
	s.stopping, s.stop = context.WithCancel(context.Background())
	s.patience = listen.NewPatience(cfg.Listen, s.stopping, s.registry)
	for _, w := range cfg.Warnings {
		s.log.WarnContext(ctx, w)
	}
	if err := s.build(ctx, o.SPA); err != nil {
		return nil, errors.Join(err, s.close())
	}
	return s, nil
}

// build makes the parts, those that others need first.
func (s *Server) build(ctx context.Context, app fs.FS) (err error) {
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
	if err := s.buildHandlers(app); err != nil {
		return err
	}
	return s.listen(ctx)
}

// listen opens both ports, so that a port that is taken stops the start, not the first request.
func (s *Server) listen(ctx context.Context) (err error) {
	var lc net.ListenConfig
	if s.public == nil {
		if s.public, err = lc.Listen(ctx, "tcp", s.cfg.Listen.Address); err != nil {
			return ListenError("server.listen", s.cfg.Listen.Address, err)
		}
	}
	if s.admin != nil || s.cfg.Listen.Admin == "" {
		return nil
	}
	if s.admin, err = lc.Listen(ctx, "tcp", s.cfg.Listen.Admin); err != nil {
		return ListenError("server.admin_listen", s.cfg.Listen.Admin, err)
	}
	return nil
}

// AdminAddr is where the admin listener listens.
func (s *Server) AdminAddr() net.Addr { return s.admin.Addr() }
