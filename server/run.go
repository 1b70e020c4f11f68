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

// Listen opens both ports, so that a port in use stops the start and not the first request. It is
// called once, before Run. public and admin are listeners that were opened before, for example by
// systemd; if they are nil, server.listen and server.admin_listen are opened. After an error the
// Server is closed.
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

// AdminAddr returns the address of the admin listener.
func (s *Server) AdminAddr() net.Addr { return s.admin.Addr() }

// Run serves on the listeners until ctx ends, then shuts down in this order. First it reports that
// it is not ready, and serves on for drain_delay, in which a load balancer notices. Then it ends
// event streams, takes no more connections, and gives requests under way shutdown_timeout to
// finish. Then it commits renewals under way and queues the tokens of refused logins. The admin
// listener and the store are closed last. It returns nil after a clean shutdown.
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
	// A stream that stayed open may have used up the time. What a provider has issued is committed
	// nevertheless.
	commit, cancel := context.WithTimeout(context.WithoutCancel(ctx), s.cfg.Listen.ShutdownTimeout)
	defer cancel()
	return errors.Join(err, s.settle(commit), shutdown(grace, admin, s.admin), serving.Wait(), s.close())
}

// drain gives those who send requests here time to notice that the service stops.
func (s *Server) drain(ctx context.Context) {
	call(s.o.Notify.Stopping)
	s.draining.Store(true)
	s.log.InfoContext(ctx, "shutting down", "drain_delay", s.cfg.Listen.DrainDelay.String(),
		"timeout", s.cfg.Listen.ShutdownTimeout.String())
	if ctx.Err() != nil { // otherwise a listener failed, and there is no reason to wait
		time.Sleep(s.cfg.Listen.DrainDelay)
	}
	s.stop()
}

func call(fn func()) {
	if fn != nil {
		fn()
	}
}

// httpServer limits everything that a client can make the server wait for. There is no write
// timeout: a stream lasts as long as its client reads it. HTTP/2 without TLS is for a load balancer
// in front.
func (s *Server) httpServer(h http.Handler) *http.Server {
	srv := &http.Server{
		Handler:           s.limits.Handler(h),
		ConnContext:       listen.ConnContext,
		ReadHeaderTimeout: readHeaderTimeout,
		IdleTimeout:       idleTimeout,
		MaxHeaderBytes:    maxHeaderBytes,
		ErrorLog:          slog.NewLogLogger(s.log.Handler(), slog.LevelDebug),
		Protocols:         new(http.Protocols),
	}
	srv.Protocols.SetHTTP1(true)
	srv.Protocols.SetUnencryptedHTTP2(true)
	return srv
}

func (s *Server) serve(srv *http.Server, l net.Listener) error {
	err := srv.Serve(s.limits.Listener(l))
	if errors.Is(err, http.ErrServerClosed) || errors.Is(err, net.ErrClosed) {
		return nil
	}
	return err
}

// settleTime is a pause for connections that were accepted just before their listener was closed:
// net/http does not count them yet, and would not wait for them.
const settleTime = 50 * time.Millisecond

// shutdown takes no more connections and lets requests under way finish. Streams that are still
// open at the deadline are cut off.
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
