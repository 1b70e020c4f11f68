package server

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/cloakroom/cloakroom/listen"
)

const (
	readHeaderTimeout = 10 * time.Second
	idleTimeout       = 2 * time.Minute
	maxHeaderBytes    = 64 << 10
)

// Listen opens both ports, so that a port that is taken stops the start, not the first request. It
// is called once, before Run. public and admin are listeners that were opened for us, by systemd say;
// nil: server.listen and server.admin_listen are opened. After an error the Server is closed.
func (s *Server) Listen(ctx context.Context, public, admin net.Listener) error {
	s.public, s.admin = public, admin
	s.limits = listen.NewLimits(s.cfg.Listen, s.stopping, s.registry)
	if err := s.openPorts(ctx); err != nil {
		return errors.Join(err, s.close())
	}
	return nil
}

func (s *Server) openPorts(ctx context.Context) (err error) {
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

// Run serves on what Listen has opened until ctx ends, then shuts down in order: it is not ready any more, and serves on for
// drain_delay, in which a load balancer notices; then event streams are told to go elsewhere, no more
// connections are taken, and requests under way may finish for shutdown_timeout; renewals under way are
// committed, and tokens of refused logins queued; the admin listener and the store are closed last.
// It returns nil after a clean shutdown.
func (s *Server) Run(ctx context.Context) error {
	s.Start()
	public, admin := s.httpServer(&s.publicHandler), s.httpServer(&s.adminHandler)
	serving, failed := errgroup.WithContext(ctx)
	serving.Go(func() error { return s.serve(public, s.public) })
	if s.admin != nil {
		serving.Go(func() error { return s.serve(admin, s.admin) })
	}
	s.log.InfoContext(ctx, "cloakroom is ready to serve", "public_url", s.site.Origin(),
		"listen", s.public.Addr().String(), "admin_listen", s.cfg.Listen.Admin)
	call(s.o.Notify.Ready)

	<-failed.Done()
	s.drain(ctx)
	grace, cancel := context.WithTimeout(context.WithoutCancel(ctx), s.cfg.Listen.ShutdownTimeout)
	defer cancel()
	err := shutdown(grace, public, s.public)
	// A stream that was open to the end has used the time up; what a provider has answered is committed all the same.
	commit, cancel := context.WithTimeout(context.WithoutCancel(ctx), s.cfg.Listen.ShutdownTimeout)
	defer cancel()
	return errors.Join(err, s.settle(commit), shutdown(grace, admin, s.admin), serving.Wait(), s.close())
}

// drain lets whoever sends requests here notice that others should get them.
func (s *Server) drain(ctx context.Context) {
	call(s.o.Notify.Stopping)
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

// httpServer has limits on everything that a stranger can make it wait for. There is no write
// time-out: streams run on, as long as somebody reads them. HTTP/2 without TLS is for the load balancer in front.
func (s *Server) httpServer(h http.Handler) *http.Server {
	srv := &http.Server{
		Handler: s.limits.Handler(h), ConnContext: listen.ConnContext, ReadHeaderTimeout: readHeaderTimeout, IdleTimeout: idleTimeout, MaxHeaderBytes: maxHeaderBytes,
		ErrorLog: slog.NewLogLogger(s.log.Handler(), slog.LevelDebug), Protocols: new(http.Protocols),
	}
	srv.Protocols.SetHTTP1(true)
	srv.Protocols.SetUnencryptedHTTP2(true)
	return srv
}

func (s *Server) serve(srv *http.Server, l net.Listener) error {
	if err := srv.Serve(s.limits.Listener(l)); !errors.Is(err, http.ErrServerClosed) && !errors.Is(err, net.ErrClosed) {
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
