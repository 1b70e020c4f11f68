// Package demo runs everything in one process: a development provider, a sample API, a sample app,
// and a real server in front of them on an embedded store.
//
// The provider is on 127.0.0.1 while the app is on localhost, which makes it another site, so that
// SameSite=Strict is tried for real. Nothing here is fit for production: the users' passwords are on
// the login page. The released binary has this package, the container image is built without it (build
// tag nodemo), and the running service never imports it.
package demo

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"strconv"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/cloakroom/cloakroom/demo/sampleapp"
	"github.com/cloakroom/cloakroom/server"
	"github.com/cloakroom/cloakroom/site"
)

// Options are what can be chosen about a demo.
type Options struct {
	Listen              string        // where the app listens; a loopback address; port 0 picks a free one
	AccessTokenLifetime time.Duration // of the provider's access tokens; 0 means 30 s
	Out                 io.Writer     // where the banner goes, and warnings after it
	// Ready, if not nil, is called once everything listens.
	Ready func(Addresses)
}

// Addresses are where a demo's parts are.
type Addresses struct {
	App      string // what to open in a browser
	Provider string // the issuer
	Admin    string
}

// Run starts all parts and serves until ctx ends; it returns nil after a clean shutdown. What was
// stored is gone then.
func Run(ctx context.Context, o Options) (err error) {
	if o.AccessTokenLifetime == 0 {
		o.AccessTokenLifetime = 30 * time.Second
	}
	if o.Out == nil {
		o.Out = io.Discard
	}
	folder, err := os.MkdirTemp("", "cloakroom-demo-")
	if err != nil {
		return fmt.Errorf("make folder for the demo's store: %w", err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(folder)) }()

	port, err := appPort(ctx, o.Listen)
	if err != nil {
		return err
	}
	s := &stage{options: o, folder: folder, app: "http://localhost:" + strconv.Itoa(port)}
	if err := s.build(ctx, port); err != nil {
		return errors.Join(err, s.close())
	}
	return s.run(ctx)
}

// appPort is the port that the app will be on. The app's address is part of what the provider and
// the server are told, so it must be known before anything listens there.
func appPort(ctx context.Context, listen string) (int, error) {
	host, port, err := net.SplitHostPort(listen)
	if err != nil {
		return 0, fmt.Errorf("read listen address %q: %w", listen, err)
	}
	if !site.IsLoopback(host) {
		return 0, fmt.Errorf("the demo listens on loopback only, such as 127.0.0.1:8080, not on %q", listen)
	}
	if port != "0" {
		return net.DefaultResolver.LookupPort(ctx, "tcp", port)
	}
	var lc net.ListenConfig
	l, err := lc.Listen(ctx, "tcp", listen)
	if err != nil {
		return 0, fmt.Errorf("find a free port: %w", err)
	}
	free, ok := l.Addr().(*net.TCPAddr)
	if err := l.Close(); err != nil || !ok {
		return 0, fmt.Errorf("find a free port: %v, %w", l.Addr(), err)
	}
	return free.Port, nil
}

// run serves all parts and stops them, the server first, so that what it still has to tell the
// provider (revocations) finds it there.
func (s *stage) run(ctx context.Context) error {
	serving, failed := errgroup.WithContext(ctx)
	outlive, stop := context.WithCancel(context.WithoutCancel(ctx))
	defer stop()
	serving.Go(func() error { return serve(outlive, s.provider.listener, s.provider.handler) })
	serving.Go(func() error { return serve(outlive, s.api.listener, s.api.handler) })
	serving.Go(func() error {
		defer stop()
		return s.server.Run(failed)
	})
	s.greet()
	if s.options.Ready != nil {
		s.options.Ready(s.addresses())
	}
	return serving.Wait()
}

func serve(ctx context.Context, l net.Listener, h http.Handler) error {
	srv := &http.Server{Handler: h, ReadHeaderTimeout: 10 * time.Second}
	stop := context.AfterFunc(ctx, func() { _ = srv.Close() }) // whoever is still connected is not waited for
	defer stop()
	if err := srv.Serve(l); !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("serve %s: %w", l.Addr(), err)
	}
	return nil
}

// newServer is the real thing, with the sample app in place of an operator's.
func (s *stage) newServer(ctx context.Context) (*server.Server, error) {
	cfg, err := s.config()
	if err != nil {
		return nil, fmt.Errorf("configure the demo: %w", err)
	}
	logger := slog.New(slog.NewTextHandler(s.options.Out, &slog.HandlerOptions{Level: slog.LevelWarn}))
	srv, err := server.New(ctx, cfg, server.Options{Logger: logger, SPA: sampleapp.Files()})
	if err != nil {
		return nil, err
	}
	return srv, srv.Listen(ctx, nil, nil)
}
