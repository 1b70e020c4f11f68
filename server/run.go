package server

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/cloakroom/cloakroom/listen"
	"github.com/cloakroom/cloakroom/provider"
)

const (
	readHeaderTimeout = 10 * time.Second
	idleTimeout       = 2 * time.Minute
	maxHeaderBytes    = 64 << 10
)

// Run serves until ctx ends, then shuts down in order: it is not ready any more, and serves on for
// drain_delay, in which a load balancer notices; then event streams are told to go elsewhere, no more
// connections are taken, and requests under way may finish for shutdown_timeout; renewals under way are
// committed, and tokens of refused logins queued; the admin listener and the store are closed last. It returns nil after a clean shutdown.
func (s *Server) Run(ctx context.Context) error {
	workers, stopWorkers := context.WithCancel(context.WithoutCancel(ctx))
	var background sync.WaitGroup
	background.Go(func() { s.sessions.Listen(workers) })
	background.Go(func() { s.outbox.Run(workers) })
	for _, p := range s.providers {
		background.Go(func() { s.learn(workers, p) })
	}

	public, admin := s.httpServer(&s.publicHandler), s.httpServer(&s.adminHandler)
	serving, failed := errgroup.WithContext(ctx)
	serving.Go(func() error { return s.serve(public, s.public) })
	if s.admin != nil {
		serving.Go(func() error { return s.serve(admin, s.admin) })
	}
	s.log.InfoContext(ctx, "cloakroom is ready to serve", "public_url", s.site.Origin(),
		"listen", s.public.Addr().String(), "admin_listen", s.cfg.Listen.Admin)
	call(s.notify.Ready)

	<-failed.Done()
	s.drain(ctx)
	grace, cancel := context.WithTimeout(context.WithoutCancel(ctx), s.cfg.Listen.ShutdownTimeout)
	defer cancel()
	err := shutdown(grace, public, s.public)
	// A stream that was open to the end has used the time up; what a provider has answered is committed all the same.
	commit, cancel := context.WithTimeout(context.WithoutCancel(ctx), s.cfg.Listen.ShutdownTimeout)
	defer cancel()
	var refused sync.WaitGroup
	refused.Go(func() { s.login.Close(commit) })
	err = errors.Join(err, s.renewer.Close(commit), shutdown(grace, admin, s.admin), serving.Wait())
	refused.Wait()
	stopWorkers()
	background.Wait()
	return errors.Join(err, s.close())
}

// drain lets whoever sends requests here notice that others should get them.
func (s *Server) drain(ctx context.Context) {
	call(s.notify.Stopping)
	s.draining.Store(true)
	s.log.InfoContext(ctx, "shutting down", "drain_delay", s.cfg.Listen.DrainDelay.String(), "timeout", s.cfg.Listen.ShutdownTimeout.String())
	if ctx.Err() != nil { // else a listener failed, and there is nothing to wait for
		time.Sleep(s.cfg.Listen.DrainDelay)
	}
	s.stop()
}

func call(fn func()) {
	if fn != nil {
		fn()
	}
}

// learn asks for a provider's metadata until it is known, so that the first person to log in does
// not wait for it and readiness can tell.
func (s *Server) learn(ctx context.Context, p *provider.Provider) {
	for wait := 500 * time.Millisecond; ; wait = min(2*wait, 30*time.Second) {
		m, err := p.Metadata(ctx)
		switch {
		case ctx.Err() != nil:
			return
		case err == nil:
			if err := p.CheckUserinfo(m); err != nil {
				s.log.ErrorContext(ctx, "no login at this provider can succeed", "provider", p.ID(), "error", err, "remedy", "write providers.userinfo: auto")
			}
			return
		default:
			s.log.WarnContext(ctx, "provider can't be used yet", "provider", p.ID(), "error", err, "next_try_in", wait.String())
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(wait):
		}
	}
}

// httpServer has limits on everything that a stranger can make it wait for. There is no write
// time-out: streams run on, as long as somebody reads them. HTTP/2 without TLS is for the load balancer in front.
func (s *Server) httpServer(h http.Handler) *http.Server {
	srv := &http.Server{
		Handler: s.patience.Handler(h), ConnContext: listen.ConnContext, ReadHeaderTimeout: readHeaderTimeout, IdleTimeout: idleTimeout, MaxHeaderBytes: maxHeaderBytes,
		ErrorLog: slog.NewLogLogger(s.log.Handler(), slog.LevelDebug), Protocols: new(http.Protocols),
	}
	srv.Protocols.SetHTTP1(true)
	srv.Protocols.SetUnencryptedHTTP2(true)
	return srv
}

func (s *Server) serve(srv *http.Server, l net.Listener) error {
	if err := srv.Serve(s.patience.Listener(l)); !errors.Is(err, http.ErrServerClosed) && !errors.Is(err, net.ErrClosed) {
		return err
	}
	return nil
}

// settleTime is for a connection that was accepted in the moment in which its listener was closed: net/http
// does not count it yet, and would not wait for it.
const settleTime = 50 * time.Millisecond

// shutdown takes no more connections and lets requests under way finish; streams that are still open at the
// deadline are cut.
func shutdown(ctx context.Context, srv *http.Server, l net.Listener) error {
	if l != nil {
		if err := l.Close(); err != nil && !errors.Is(err, net.ErrClosed) {
			return err
		}
		time.Sleep(settleTime)
	}
	err := srv.Shutdown(ctx)
	if errors.Is(err, context.DeadlineExceeded) {
		return srv.Close()
	}
	return err
}

// close lets go of what New opened; it is safe on a server that was built half.
func (s *Server) close() error {
	s.stop()
	var errs []error
	for _, l := range []net.Listener{s.public, s.admin} {
		if l != nil {
			if err := l.Close(); err != nil && !errors.Is(err, net.ErrClosed) {
				errs = append(errs, err)
			}
		}
	}
	if s.sessions != nil {
		s.sessions.Close()
	}
	if s.store != nil {
		errs = append(errs, s.store.Close())
	}
	return errors.Join(errs...)
}
