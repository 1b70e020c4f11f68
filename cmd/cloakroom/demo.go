//go:build !nodemo

package main

import (
	"os"
	"time"

	"github.com/spf13/cobra"

	"github.com/cloakroom/cloakroom/demo"
)

func demoCommands() []*cobra.Command {
	var o demo.Options
	c := &cobra.Command{
		Use:   "demo",
		Short: "Everything in one process: a development provider, a sample API, a sample app, and the service",
		Long: "Everything in one process, on an embedded store: a development identity provider, a sample API, a\n" +
			"sample app, and the service in front of them. For looking and trying; never for production.",
		Example: "  cloakroom demo\n  cloakroom demo --listen 127.0.0.1:9000 --access-token-lifetime 10s",
		Args:    cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			o.Out = os.Stdout
			return demo.Run(c.Context(), o)
		},
	}
	c.Flags().StringVar(&o.Listen, "listen", "127.0.0.1:8080", "where the app listens; a loopback address")
	c.Flags().DurationVar(&o.AccessTokenLifetime, "access-token-lifetime", 30*time.Second, "how long the provider's access tokens last")
	return []*cobra.Command{c}
}
