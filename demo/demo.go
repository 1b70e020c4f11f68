// Package demo runs a development provider, a sample API, a sample app and a real server in front
// of them in one process, with an embedded store.
//
// The app is at localhost and the provider at 127.0.0.1. To a browser these are two sites, so the
// demo also exercises SameSite=Strict. Nothing here is fit for production: the login page shows the
// users' passwords. The released binary includes this package; the container image is built without
// it (build tag nodemo). Package server does not import it.
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

// Options configure a demo.
type Options struct {
	Listen              string        // the app's loopback address; port 0 means any free port
	AccessTokenLifetime time.Duration // of the provider's access tokens; 0 means 30 s
	Out                 io.Writer     // receives the banner and warnings; nil means nowhere
	// Ready, if not nil, is called when every part listens.
	Ready func(Addresses)
}

// Addresses are the URLs of a demo's parts.
type Addresses struct {
	App      string // to open in a browser
	Provider string // the issuer
	Admin    string
}

// Run starts all parts and serves until ctx ends. It returns nil after a clean shutdown, and
// deletes the store.
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

// appPort returns the app's port. It must be known before the app listens, because the app's URL is
// part of the configuration of provider and server.
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

// run serves all parts and stops them. The server stops first, because it may still send
// revocations to the provider.
func (s *stage) run(ctx context.Context) error {
	serving, failed := errgroup.WithContext(ctx)
	others, stop := context.WithCancel(context.WithoutCancel(ctx))
	defer stop()
	serving.Go(func() error { return serve(others, s.provider.listener, s.provider.handler) })
	serving.Go(func() error { return serve(others, s.api.listener, s.api.handler) })
	serving.Go(func() error {
		defer stop()
		return s.server.Run(failed)
	})
	s.printBanner()
	if s.options.Ready != nil {
		s.options.Ready(s.addresses())
	}
	return serving.Wait()
}

func serve(ctx context.Context, l net.Listener, h http.Handler) error {
	srv := &http.Server{Handler: h, ReadHeaderTimeout: 10 * time.Second}
	stop := context.AfterFunc(ctx, func() { _ = srv.Close() }) // does not wait for open connections
	defer stop()
	if err := srv.Serve(l); !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("serve %s: %w", l.Addr(), err)
	}
	return nil
}

// newServer makes the real server, with the sample app as its SPA.
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
