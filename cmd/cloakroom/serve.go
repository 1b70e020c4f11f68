package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/cloakroom/cloakroom/config"
	"github.com/cloakroom/cloakroom/server"
)

func serveCommand() *cobra.Command {
	var path string
	c := &cobra.Command{
		Use:   "serve",
		Short: "Run the service",
		Long: "Run the service until SIGTERM or SIGINT. It then completes the requests in progress and stops; a second\n" +
			"signal stops it at once. SIGHUP reads session.keys again. Sockets that systemd passes (LISTEN_FDS) are\n" +
			"used instead of server.listen and server.admin_listen. Secrets come from the environment or from files\n" +
			"that the configuration names, never from the command line.",
		Example: "  export CLOAKROOM_KEY=$(cloakroom keygen)\n  cloakroom serve --config cloakroom.yaml",
		Args:    cobra.NoArgs,
		RunE:    func(c *cobra.Command, _ []string) error { return serve(c.Context(), path) },
	}
	addConfigFlag(c, &path)
	return c
}

func serve(ctx context.Context, path string) error {
	cfg, err := config.Load(path)
	if err != nil {
		return err
	}
	log := cfg.Log.NewLogger(os.Stderr)
	public, admin, err := inherited()
	if err != nil {
		return err
	}
	s, err := server.New(ctx, cfg, server.Options{Logger: log, Notify: systemd(log), Version: version})
	if err != nil {
		return err
	}
	if err := s.Listen(ctx, public, admin); err != nil {
		return err
	}
	defer onHangup(func() {
		cfg, err := config.Load(path)
		if err == nil {
			err = s.Reload(cfg)
		}
		if err != nil {
			log.Error("the new configuration was not applied; the previous one stays in effect", "error", err)
		}
	})()
	return s.Run(ctx)
}

// onHangup calls fn at each SIGHUP, until stop is called.
func onHangup(fn func()) (stop func()) {
	hangups := make(chan os.Signal, 1)
	signal.Notify(hangups, syscall.SIGHUP)
	done := make(chan struct{})
	go func() {
		for {
			select {
			case <-hangups:
				fn()
			case <-done:
				return
			}
		}
	}()
	return func() { signal.Stop(hangups); close(done) }
}
