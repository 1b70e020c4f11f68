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

// processMetrics returns the metrics of the whole process. They are kept apart from this service's
// own.
func processMetrics() prometheus.Gatherer {
	r := prometheus.NewRegistry()
	process := collectors.NewProcessCollector(collectors.ProcessCollectorOpts{})
	r.MustRegister(collectors.NewGoCollector(), process)
	return r
}

// registerMetrics adds this service's own metrics to Options.Metrics.
func (s *Server) registerMetrics() error {
	if s.o.Metrics == nil {
		return nil
	}
	if err := s.o.Metrics.Register(s.registry); err != nil {
		return fmt.Errorf("register metrics: %w", err)
	}
	s.registered = true
	return nil
}

// shared reports whether other processes may use the store.
func (s *Server) shared() bool { return !s.o.Store.IsZero() || store.Shared(s.cfg.Store.URL.Reveal()) }

// buildClock makes the clock for all times that replicas share.
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
		return &StartError{
			errors.New("a part of the store is missing"),
			"fill in all parts of Options.Store; the Feed may be left out",
		}
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

// firstPing limits how long the start waits for the time of the store.
const firstPing = 2 * time.Second

// configuredIssuers returns the issuers by the id of the provider.
func configuredIssuers(cfg *config.Config) map[string]string {
	issuers := make(map[string]string, len(cfg.Providers))
	for _, p := range cfg.Providers {
		issuers[p.ID] = p.Issuer
	}
	return issuers
}

// OpenSessions opens the sessions of a configuration, for a tool that runs beside the service. The
// caller must call closeAll.
func OpenSessions(
	ctx context.Context, cfg *config.Config, log *slog.Logger,
) (m *session.Manager, closeAll func() error, err error) {
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
			Shared: s.now, Logger: s.log, Metrics: s.registry,
			Transport: s.o.Transport, Version: s.o.Version,
		})
		if file, ok := errors.AsType[*provider.FileError](err); ok {
			return &StartError{err, "the file that `" + file.Key + "` names must be there, and the user " +
				"that runs cloakroom must be able to read it"}
		}
		if err != nil {
			return &StartError{
				fmt.Errorf("set up provider %q: %w", pc.ID, err),
				"correct the provider's keys, or the files that they name",
			}
		}
		s.providers = append(s.providers, p)
		s.byID[pc.ID] = p
	}
	return nil
}

// ProviderConfig returns p with the redirect URIs of this service.
func ProviderConfig(app *site.Site, p provider.Config) provider.Config {
	p.RedirectURI, p.PostLogoutRedirectURI = app.RedirectURI(p.ID), app.PostLogoutRedirectURI(p.ID)
	return p
}

// buildWorkers makes what renews and revokes tokens.
func (s *Server) buildWorkers() {
	o := s.cfg.Renewal
	o.Providers, o.Sessions, o.Leases = s.byID, s.sessions, s.store.Leases
	o.Now, o.Logger, o.Metrics = s.now, s.log, s.registry
	s.renewer = renewal.New(o)
	s.clients = renewal.NewClientTokens(renewal.ClientOptions{
		Providers: s.byID, Now: s.now, Logger: s.log, Metrics: s.registry,
	})
	r := s.cfg.Revocation
	r.Providers, r.Sessions, r.Outbox = s.byID, s.sessions, s.store.Outbox
	r.Now, r.Logger, r.Metrics = s.now, s.log, s.registry
	s.outbox = revocation.NewWorker(r)
}

// buildHandlers makes the handlers of both listeners.
func (s *Server) buildHandlers() error {
	pages, err := templates.Load(s.cfg.Pages)
	if err != nil {
		return &StartError{
			fmt.Errorf("load pages.templates: %w", err),
			"correct that file, or remove it from the folder: the built-in page is then used",
		}
	}
	s.problems = handlers.NewErrorWriter(handlers.ErrorOptions{Pages: pages, Site: s.site, Logger: s.log})
	by := &clients{site: s.site, log: s.log}
	s.login, err = login.New(login.Options{
		Site: s.site, Providers: s.byID, Sessions: s.sessions, Keys: s.keys,
		Client: by.network, Admit: s.o.Admit, Now: s.now, Logger: s.log, Metrics: s.registry,
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
	o.Providers, o.Sessions, o.Login, o.Tokens = s.providers, s.sessions, s.login, s.renewer
	o.Outbox, o.Marks, o.Pages, o.Keys = s.outbox, s.store.Marks, pages, s.keys
	o.Site, o.Stopping, o.Client, o.Claims = s.site, s.stopping, by.network, s.o.Claims
	o.Now, o.Logger, o.Metrics = s.now, s.log, s.registry
	s.bff = handlers.New(o)
	s.publicHandler.swap(s.publicRoutes(spa))
	a := s.cfg.Admin
	a.Providers, a.Sessions, a.Outbox = s.providers, s.sessions, s.outbox
	a.Backlog, a.Draining = s.store.Outbox, s.draining.Load
	a.Gatherer, a.Now, a.Logger = prometheus.Gatherers{s.registry, processMetrics()}, s.now, s.log
	s.adminHandler.swap(s.adminRoutes(admin.New(a)))
	return nil
}

func (s *Server) buildProxy() (*proxy.Proxy, error) {
	o := s.cfg.Proxy
	o.Sessions, o.Tokens, o.ClientTokens = s.sessions, s.renewer, s.clients
	o.Fail, o.Stopping = s.problems.Write, s.stopping
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
		return nil, &StartError{
			fmt.Errorf("serve the app: %w", err),
			"build the app, or set `spa.dir` to the folder that holds its index.html",
		}
	}
	return spa, nil
}
