//go:build !nodemo

package main

import (
	"os"
	"time"

	"github.com/spf13/cobra"

	"github.com/cloakroom/cloakroom/demo"
	"github.com/cloakroom/cloakroom/demo/cluster"
)

func demoCommands() []*cobra.Command {
	var o demo.Options
	c := &cobra.Command{
		Use:   "demo",
		Short: "Run a development provider, a sample API, a sample app and the service in one process",
		Long: "Run a development identity provider, a sample API, a sample app and the service in front of them, in\n" +
			"one process with an embedded store. For trying things out; never for production.",
		Example: "  cloakroom demo\n  cloakroom demo --listen 127.0.0.1:9000 --access-token-lifetime 10s",
		Args:    cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			o.Out = os.Stdout
			return demo.Run(c.Context(), o)
		},
	}
	flags := c.Flags()
	flags.StringVar(&o.Listen, "listen", "127.0.0.1:8080", "address of the app, on loopback")
	flags.DurationVar(&o.AccessTokenLifetime, "access-token-lifetime", 30*time.Second,
		"lifetime of the provider's access tokens")
	return []*cobra.Command{c, clusterCommand()}
}

func clusterCommand() *cobra.Command {
	var o cluster.StageOptions
	c := &cobra.Command{
		Use:   "demo-cluster",
		Short: "Run three replicas behind nginx, with Redis, simulated users and a page to make parts fail",
		Long: "Run three replicas of the service behind nginx, with a Redis of their own and simulated users who send\n" +
			"requests all the time. A page shows them live and has buttons to kill or freeze replicas and Redis, cut\n" +
			"links, and make the provider fail. Needs redis-server and nginx (make setup installs them). Never for\n" +
			"production.",
		Example: "  cloakroom demo-cluster\n  cloakroom demo-cluster --users 500",
		Args:    cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) (err error) {
			o.Out = os.Stdout
			if o.Binary, err = os.Executable(); err != nil {
				return err
			}
			return cluster.Demo(c.Context(), o)
		},
	}
	c.Flags().StringVar(&o.Listen, "listen", "127.0.0.1:8090", "address of the page, on loopback")
	c.Flags().IntVar(&o.Users, "users", 200, "number of simulated users")
	return c
}
