package server

import (
	"context"
	"errors"
	"net"
	"sync"
	"time"

	"github.com/cenkalti/backoff/v5"

	"github.com/cloakroom/cloakroom/provider"
	"github.com/cloakroom/cloakroom/resilience"
)

// Start starts the workers: what hears of changes by other replicas, ends sessions that ran out,
// revokes tokens, and asks for the providers' metadata. Run does it by itself.
func (s *Server) Start() {
	workers, stop := context.WithCancel(context.Background())
	s.stopWorkers = stop
	s.background.Go(func() { s.sessions.Listen(workers) })
	s.background.Go(func() { s.outbox.Run(workers) })
	for _, p := range s.providers {
		s.background.Go(func() { s.learn(workers, p) })
	}
}

// Drain has the service say that it is not ready, keep no connections, and end event streams and
// WebSockets. Everything else is answered as before. Run does it by itself.
func (s *Server) Drain() {
	s.draining.Store(true)
	s.stop()
}

// Close waits until renewals under way are committed and tokens of refused logins are queued, for
// shutdown_timeout at most, stops the workers and lets go of all that New made. The caller takes no
// more requests by then. It is for who does not call Run, and called once.
func (s *Server) Close() error {
	s.Drain()
	commit, cancel := context.WithTimeout(context.Background(), s.cfg.Listen.ShutdownTimeout)
	defer cancel()
	return errors.Join(s.settle(commit), s.close())
}

// settle waits until nothing that providers have issued is in memory alone, or ctx ends.
func (s *Server) settle(ctx context.Context) error {
	var refused sync.WaitGroup
	refused.Go(func() { s.login.Close(ctx) })
	defer refused.Wait()
	return s.renewer.Close(ctx)
}

// learn asks for a provider's metadata until it is known, so that the first person to log in does
// not wait for it and readiness can tell.
func (s *Server) learn(ctx context.Context, p *provider.Provider) {
	policy := resilience.MetadataAtStart
	m, err := backoff.Retry(ctx, func() (*provider.Metadata, error) { return p.Metadata(ctx) },
		backoff.WithBackOff(policy.Pauses().BackOff()), backoff.WithMaxElapsedTime(policy.Within()),
		backoff.WithNotify(func(err error, next time.Duration) {
			s.log.WarnContext(ctx, "provider can't be used yet", "provider", p.ID(), "error", err, "next_try_in", next.String())
		}))
	if err != nil || ctx.Err() != nil {
		return
	}
	if err := p.CheckUserinfo(m); err != nil {
		s.log.ErrorContext(ctx, "no login at this provider can succeed", "provider", p.ID(), "error", err,
			"remedy", "write providers.userinfo: auto")
	}
}

// close stops the workers and lets go of what New and Listen opened; it is safe on a server that was built half.
func (s *Server) close() error {
	s.stop()
	s.stopWorkers()
	s.background.Wait()
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
	if s.opened != nil {
		errs = append(errs, s.opened.Close())
	}
	if s.shown {
		s.o.Metrics.Unregister(s.registry)
	}
	return errors.Join(errs...)
}
