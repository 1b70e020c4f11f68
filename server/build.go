package server

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"

	"github.com/cloakroom/cloakroom/config"
	"github.com/cloakroom/cloakroom/handlers"
	"github.com/cloakroom/cloakroom/handlers/admin"
	"github.com/cloakroom/cloakroom/provider"
	"github.com/cloakroom/cloakroom/proxy"
	"github.com/cloakroom/cloakroom/session"
	"github.com/cloakroom/cloakroom/session/login"
	"github.com/cloakroom/cloakroom/session/renewal"
	"github.com/cloakroom/cloakroom/session/revocation"
	"github.com/cloakroom/cloakroom/session/store"
	"github.com/cloakroom/cloakroom/site"
	"github.com/cloakroom/cloakroom/templates"
	"github.com/cloakroom/cloakroom/web"
)

// Site is the public address of a configuration.
func Site(cfg *config.Config) (*site.Site, error) {
	return site.New(site.Options{
		PublicURL: cfg.Server.PublicURL, BasePath: cfg.Server.BasePath,
		CookieName: cfg.Session.Cookie.Name, SameSite: cfg.Session.Cookie.SameSite,
		AllowedOrigins: cfg.CORS.AllowedOrigins, TrustedProxies: cfg.Server.TrustedProxies,
	})
}

func newRegistry() *prometheus.Registry {
	r := prometheus.NewRegistry()
	r.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return r
}

// buildClock makes the clock that everything goes by which replicas share.
func (s *Server) buildClock(machine func() time.Time) {
	s.clock = session.NewClock(session.ClockOptions{
		Wall: machine, Shared: store.Shared(s.cfg.Session.Store.Reveal()), Logger: s.log, Metrics: s.registry,
	})
	s.now = s.clock.Now
}

func (s *Server) buildSessions(ctx context.Context) (err error) {
	c := s.cfg.Session
	if s.store, err = store.Open(ctx, c.Store.Reveal()); err != nil {
		return StoreError(c.Store, err)
	}
	if store.Shared(c.Store.Reveal()) {
		s.store = store.Guard(s.store, s.log, s.registry)
	}
	s.sessions, err = session.NewManager(session.Options{
		Store: s.store, Keys: s.keys, Lifetime: c.Lifetime, IdleTimeout: c.IdleTimeout, MaxStaleness: c.MaxStaleness,
		MaxPerUser: c.MaxPerUser, Issuers: configuredIssuers(s.cfg), CacheMemory: int(c.CacheMemory), ServeCached: servedCached(c),
		Site: s.site, Clock: s.clock, Logger: s.log, Metrics: s.registry,
	})
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, firstPing)
	defer cancel()
	_ = s.sessions.Ping(ctx) // sets the clock; a store that is down does not stop the start
	return nil
}

// firstPing bounds how long the start waits for the store's time.
const firstPing = 2 * time.Second

// configuredIssuers are the issuers by provider.
func configuredIssuers(cfg *config.Config) map[string]string {
	issuers := make(map[string]string, len(cfg.Providers))
	for _, p := range cfg.Providers {
		issuers[p.ID] = p.Issuer
	}
	return issuers
}

// OpenSessions opens the sessions of a configuration for a tool that works beside the service. closeAll
// must be called.
func OpenSessions(ctx context.Context, cfg *config.Config, log *slog.Logger) (m *session.Manager, closeAll func() error, err error) {
	app, err := Site(cfg)
	if err != nil {
		return nil, nil, err
	}
	s := &Server{cfg: cfg, site: app, log: log, registry: newRegistry(), stop: func() {}}
	s.buildClock(nil)
	if s.keys, err = s.readKeys(cfg); err == nil {
		err = s.buildSessions(ctx)
	}
	if err != nil {
		return nil, nil, errors.Join(err, s.close())
	}
	return s.sessions, s.close, nil
}

// servedCached is how long sessions in memory are served in an outage of the store.
func servedCached(c config.Session) time.Duration {
	if c.OnOutage == "serve_cached" {
		return c.OutageLimit
	}
	return 0
}

func (s *Server) buildProviders() error {
	s.byID = make(map[string]*provider.Provider, len(s.cfg.Providers))
	for _, pc := range s.cfg.Providers {
		p, err := provider.New(ProviderConfig(s.site, pc), provider.Options{Shared: s.now, Logger: s.log, Metrics: s.registry, Version: s.version})
		if file, ok := errors.AsType[*provider.FileError](err); ok {
			return &StartError{err, "the file that `" + file.Key + "` names must be there, and the user that runs cloakroom must be able to read it"}
		}
		if err != nil {
			return &StartError{fmt.Errorf("set up provider %q: %w", pc.ID, err), "correct the provider's keys, or the files that they name"}
		}
		s.providers = append(s.providers, p)
		s.byID[pc.ID] = p
	}
	return nil
}

// ProviderConfig is a configured provider with the addresses that it sends browsers back to.
func ProviderConfig(app *site.Site, p provider.Config) provider.Config {
	p.RedirectURI, p.PostLogoutRedirectURI = app.RedirectURI(p.ID), app.PostLogoutRedirectURI(p.ID)
	return p
}

// buildWorkers makes what renews and revokes.
func (s *Server) buildWorkers() {
	s.renewer = renewal.New(renewal.Options{
		Providers: s.byID, Sessions: s.sessions, Lease: s.cfg.Session.RenewalLease, Now: s.now, Logger: s.log, Metrics: s.registry,
	})
	s.clients = renewal.NewClientTokens(renewal.ClientOptions{Providers: s.byID, Now: s.now, Logger: s.log, Metrics: s.registry})
	s.outbox = revocation.NewWorker(revocation.Options{
		Sessions: s.sessions, Providers: s.byID, RevokeOnBackchannel: s.cfg.Session.RevokeOnBackchannel,
		Now: s.now, Logger: s.log, Metrics: s.registry,
	})
}

// buildHandlers makes what answers on the two listeners.
func (s *Server) buildHandlers(app fs.FS) error {
	pages, err := templates.Load(s.cfg.Pages.Templates)
	if err != nil {
		return &StartError{fmt.Errorf("load pages.templates: %w", err), "correct that file, or take it out of the folder: the built-in page is used then"}
	}
	problems := handlers.NewErrorWriter(handlers.ErrorOptions{Pages: pages, Site: s.site, Logger: s.log})
	who := &clients{site: s.site, log: s.log}
	s.login, err = login.New(login.Options{
		Site: s.site, Providers: s.byID, Sessions: s.sessions, Keys: s.keys, Client: who.key,
		Now: s.now, Logger: s.log, Metrics: s.registry,
	})
	if err != nil {
		return err
	}
	api, err := s.buildProxy(problems)
	if err != nil {
		return err
	}
	spa, err := s.buildSPA(app, problems)
	if err != nil {
		return err
	}
	s.bff = handlers.New(handlers.Options{
		Site: s.site, Providers: s.providers, Sessions: s.sessions, Login: s.login, Tokens: s.renewer, Outbox: s.outbox, Pages: pages, Keys: s.keys,
		ForwardAuthSecret: s.cfg.ForwardAuth.Secret, Stopping: s.stopping, ExpiringNotice: s.cfg.Session.ExpiringNotice, MaxEventStreams: s.cfg.Session.MaxEventStreams,
		Client: who.key, Now: s.now, Logger: s.log, Metrics: s.registry,
	})
	s.publicHandler = s.publicRoutes(s.bff, api, spa, problems)
	s.adminHandler = s.adminRoutes(admin.New(admin.Options{
		Token: s.cfg.Admin.Token, Providers: s.providers, Sessions: s.sessions, Outbox: s.outbox, Draining: s.draining.Load,
		Gatherer: s.registry, Now: s.now, Logger: s.log,
	}), problems)
	return nil
}

// Warnings are what a configuration allows and yet is seldom meant, each with what to do.
func Warnings(cfg *config.Config) []string {
	return append(cfg.Warnings(), proxy.Overlaps(cfg.Routes)...)
}

func (s *Server) buildProxy(problems *handlers.ErrorWriter) (*proxy.Proxy, error) {
	api, err := proxy.New(proxy.Options{
		Site: s.site, Routes: s.cfg.Routes, Sessions: s.sessions, Tokens: s.renewer, ClientTokens: s.clients,
		MaxBody: s.cfg.Server.MaxRequestBody, MaxWebSockets: s.cfg.Session.MaxWebSockets, Fail: problems.Write, Stopping: s.stopping,
		Now: s.now, Logger: s.log, Metrics: s.registry,
	})
	if err != nil {
		return nil, err
	}
	return api, nil
}

func (s *Server) buildSPA(app fs.FS, problems *handlers.ErrorWriter) (*web.SPA, error) {
	spa, err := web.NewSPA(web.Options{
		FS: app, Dir: s.cfg.SPA.Dir, DevServer: s.cfg.SPA.DevServer, CSP: s.cfg.SPA.CSP, Site: s.site, Fail: problems.Write,
	})
	if err != nil {
		return nil, &StartError{fmt.Errorf("serve the app: %w", err), "build the app, or point `spa.dir` at the folder that holds its index.html"}
	}
	return spa, nil
}
