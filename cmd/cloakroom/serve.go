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
		Long: "Run the service until SIGTERM or SIGINT, then finish what is under way and stop; a second one stops at once.\n" +
			"SIGHUP reads session.keys anew. Sockets that systemd opened (LISTEN_FDS) are used instead of server.listen and\n" +
			"server.admin_listen. Secrets come from the environment or from files that the configuration names, never from here.",
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
			log.Error("the configuration was not taken over; what held before still does", "error", err)
		}
	})()
	return s.Run(ctx)
}

// onHangup has fn called at each SIGHUP until the function returned is called.
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
