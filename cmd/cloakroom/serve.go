package main

import (
	"io"
	"log/slog"
	"os"

	"github.com/spf13/cobra"

	"github.com/cloakroom/cloakroom/config"
	"github.com/cloakroom/cloakroom/server"
)

func serveCommand() *cobra.Command {
	var path string
	c := &cobra.Command{
		Use:   "serve",
		Short: "Run the service",
		Long: "Run the service until SIGTERM or SIGINT, then finish what is under way and stop.\n" +
			"Secrets come from the environment or from files that the configuration names, never from here.",
		Example: "  export CLOAKROOM_KEY=$(cloakroom keygen)\n  cloakroom serve --config cloakroom.yaml",
		Args:    cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			cfg, err := config.Load(path)
			if err != nil {
				return err
			}
			s, err := server.New(c.Context(), cfg, server.Options{Logger: newLogger(os.Stderr, cfg.Log)})
			if err != nil {
				return err
			}
			return s.Run(c.Context())
		},
	}
	addConfigFlag(c, &path)
	return c
}

func newLogger(w io.Writer, l config.Log) *slog.Logger {
	o := &slog.HandlerOptions{Level: l.Level}
	if l.Format == "text" {
		return slog.New(slog.NewTextHandler(w, o))
	}
	return slog.New(slog.NewJSONHandler(w, o))
}
