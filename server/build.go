package server

import (
	"context"
	"errors"
	"fmt"
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
	"github.com/cloakroom/cloakroom/session/clock"
	"github.com/cloakroom/cloakroom/session/login"
	"github.com/cloakroom/cloakroom/session/renewal"
	"github.com/cloakroom/cloakroom/session/revocation"
	"github.com/cloakroom/cloakroom/session/store"
	"github.com/cloakroom/cloakroom/site"
	"github.com/cloakroom/cloakroom/templates"
	"github.com/cloakroom/cloakroom/web"
)

// processMetrics are of the whole process, so they are apart from this service's own.
func processMetrics() prometheus.Gatherer {
	r := prometheus.NewRegistry()
	r.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return r
}

// showMetrics has Options.Metrics show this service's own.
func (s *Server) showMetrics() error {
	if s.o.Metrics == nil {
		return nil
	}
	if err := s.o.Metrics.Register(s.registry); err != nil {
		return fmt.Errorf("register metrics: %w", err)
	}
	s.shown = true
	return nil
}

// shared reports whether other processes may use the store.
func (s *Server) shared() bool { return !s.o.Store.IsZero() || store.Shared(s.cfg.Store.URL.Reveal()) }

// buildClock makes the clock that everything goes by which replicas share.
func (s *Server) buildClock() {
	s.clock = clock.New(clock.Options{
		Wall: s.o.Now, Shared: s.shared(), Logger: s.log, Metrics: s.registry,
	})
	s.now = s.clock.Now
}

func (s *Server) buildSessions(ctx context.Context) (err error) {
	s.store = s.o.Store
	if s.store.IsZero() {
		url := s.cfg.Store.URL
		if s.store, err = store.Open(ctx, url.Reveal()); err != nil {
			return StoreError(url, err)
		}
		s.opened = s.store.Connection
	}
	if !s.store.IsComplete() {
		return &StartError{errors.New("a part of the store is missing"), "fill in all parts of Options.Store; the Feed may be left out"}
	}
	if s.shared() {
		s.store = store.Guard(s.store, s.log, s.registry)
	}
	o := s.cfg.Session
	o.Store, o.Keys, o.Issuers = s.store, s.keys, configuredIssuers(s.cfg)
	o.Site, o.Clock, o.Logger, o.Metrics = s.site, s.clock, s.log, s.registry
	s.sessions, err = session.NewManager(o)
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
	app, err := site.New(cfg.Site)
	if err != nil {
		return nil, nil, err
	}
	s := newServer(cfg, app, Options{Logger: log})
	if s.keys, err = s.readKeys(cfg); err == nil {
		err = s.buildSessions(ctx)
	}
	if err != nil {
		return nil, nil, errors.Join(err, s.close())
	}
	return s.sessions, s.close, nil
}

func (s *Server) buildProviders() error {
	s.byID = make(map[string]*provider.Provider, len(s.cfg.Providers))
	for _, pc := range s.cfg.Providers {
		p, err := provider.New(ProviderConfig(s.site, pc), provider.Options{
			Shared: s.now, Logger: s.log, Metrics: s.registry, Transport: s.o.Transport, Version: s.o.Version,
		})
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
	o := s.cfg.Renewal
	o.Providers, o.Sessions, o.Leases, o.Now, o.Logger, o.Metrics = s.byID, s.sessions, s.store.Leases, s.now, s.log, s.registry
	s.renewer = renewal.New(o)
	s.clients = renewal.NewClientTokens(renewal.ClientOptions{Providers: s.byID, Now: s.now, Logger: s.log, Metrics: s.registry})
	r := s.cfg.Revocation
	r.Sessions, r.Outbox, r.Providers, r.Now, r.Logger, r.Metrics = s.sessions, s.store.Outbox, s.byID, s.now, s.log, s.registry
	s.outbox = revocation.NewWorker(r)
}

// buildHandlers makes what answers on the two listeners.
func (s *Server) buildHandlers() error {
	pages, err := templates.Load(s.cfg.Pages)
	if err != nil {
		return &StartError{fmt.Errorf("load pages.templates: %w", err), "correct that file, or take it out of the folder: the built-in page is used then"}
	}
	s.problems = handlers.NewErrorWriter(handlers.ErrorOptions{Pages: pages, Site: s.site, Logger: s.log})
	who := &clients{site: s.site, log: s.log}
	s.login, err = login.New(login.Options{
		Site: s.site, Providers: s.byID, Sessions: s.sessions, Keys: s.keys, Client: who.key, Admit: s.o.Admit,
		Now: s.now, Logger: s.log, Metrics: s.registry,
	})
	if err != nil {
		return err
	}
	if s.api, err = s.buildProxy(); err != nil {
		return err
	}
	spa, err := s.buildSPA()
	if err != nil {
		return err
	}
	o := s.cfg.Handlers
	o.Providers, o.Sessions, o.Login, o.Tokens, o.Outbox, o.Pages, o.Keys = s.providers, s.sessions, s.login, s.renewer, s.outbox, pages, s.keys
	o.Marks, o.Site, o.Stopping, o.Client, o.Now, o.Logger, o.Metrics = s.store.Marks, s.site, s.stopping, who.key, s.now, s.log, s.registry
	o.Claims = s.o.Claims
	s.bff = handlers.New(o)
	s.publicHandler.swap(s.publicRoutes(spa))
	a := s.cfg.Admin
	a.Providers, a.Sessions, a.Outbox, a.Backlog, a.Draining = s.providers, s.sessions, s.outbox, s.store.Outbox, s.draining.Load
	a.Gatherer, a.Now, a.Logger = prometheus.Gatherers{s.registry, processMetrics()}, s.now, s.log
	s.adminHandler.swap(s.adminRoutes(admin.New(a)))
	return nil
}

func (s *Server) buildProxy() (*proxy.Proxy, error) {
	o := s.cfg.Proxy
	o.Sessions, o.Tokens, o.ClientTokens, o.Fail, o.Stopping = s.sessions, s.renewer, s.clients, s.problems.Write, s.stopping
	o.Site, o.Now, o.Logger, o.Metrics = s.site, s.now, s.log, s.registry
	return proxy.New(o)
}

func (s *Server) buildSPA() (*web.SPA, error) {
	o := s.cfg.SPA
	o.Site, o.Fail = s.site, s.problems.Write
	if s.o.SPA != nil {
		o.FS = s.o.SPA
	}
	spa, err := web.NewSPA(o)
	if err != nil {
		return nil, &StartError{fmt.Errorf("serve the app: %w", err), "build the app, or point `spa.dir` at the folder that holds its index.html"}
	}
	return spa, nil
}
