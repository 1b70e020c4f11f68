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

// Start starts the workers. They listen for changes by other replicas, end expired sessions, revoke
// tokens, and fetch the metadata of the providers. Run calls Start itself.
func (s *Server) Start() {
	workers, stop := context.WithCancel(context.Background())
	s.stopWorkers = stop
	s.background.Go(func() { s.sessions.Listen(workers) })
	s.background.Go(func() { s.outbox.Run(workers) })
	for _, p := range s.providers {
		s.background.Go(func() { s.fetchMetadata(workers, p) })
	}
}

// Drain has the service report that it is not ready, close connections after an answer, and end
// event streams and WebSockets. It answers everything else as before. Run does so itself.
func (s *Server) Drain() {
	s.draining.Store(true)
	s.stop()
}

// Close waits, for shutdown_timeout at most, until renewals under way are committed and the tokens
// of refused logins are queued. It then stops the workers and releases all that New made. The
// caller must have stopped taking requests. Close is for programs that don't call Run, and is
// called once.
func (s *Server) Close() error {
	s.Drain()
	commit, cancel := context.WithTimeout(context.Background(), s.cfg.Listen.ShutdownTimeout)
	defer cancel()
	return errors.Join(s.settle(commit), s.close())
}

// settle waits until no token that a provider has issued is in memory alone, or until ctx ends.
func (s *Server) settle(ctx context.Context) error {
	var refused sync.WaitGroup
	refused.Go(func() { s.login.Close(ctx) })
	defer refused.Wait()
	return s.renewer.Close(ctx)
}

// fetchMetadata fetches the metadata of a provider, with retries, so that the first login does not
// wait for it and readiness is known.
func (s *Server) fetchMetadata(ctx context.Context, p *provider.Provider) {
	policy := resilience.MetadataAtStart
	m, err := backoff.Retry(ctx, func() (*provider.Metadata, error) { return p.Metadata(ctx) },
		backoff.WithBackOff(policy.Pauses().BackOff()), backoff.WithMaxElapsedTime(policy.Within()),
		backoff.WithNotify(func(err error, next time.Duration) {
			s.log.WarnContext(ctx, "provider can't be used yet",
				"provider", p.ID(), "error", err, "next_try_in", next.String())
		}))
	if err != nil || ctx.Err() != nil {
		return
	}
	if err := p.CheckUserinfo(m); err != nil {
		s.log.ErrorContext(ctx, "no login at this provider can succeed", "provider", p.ID(), "error", err,
			"remedy", "write providers.userinfo: auto")
	}
}

// close stops the workers and releases what New and Listen opened. It is safe on a server that is
// only partly built.
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
	if s.clients != nil {
		s.clients.Close()
	}
	for _, p := range s.providers {
		p.Close()
	}
	if s.sessions != nil {
		s.sessions.Close()
	}
	if s.opened != nil {
		errs = append(errs, s.opened.Close())
	}
	if s.registered {
		s.o.Metrics.Unregister(s.registry)
	}
	return errors.Join(errs...)
}
