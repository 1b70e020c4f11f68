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
	return []*cobra.Command{c, clusterCommand()}
}

func clusterCommand() *cobra.Command {
	var o cluster.StageOptions
	c := &cobra.Command{
		Use:   "demo-cluster",
		Short: "Three replicas behind nginx, on a Redis, with users, and a page to break it all",
		Long: "Three replicas of the service behind nginx, on a Redis of their own, with users who call all the time, and a\n" +
			"page that shows it live and has buttons to break it: kill or freeze replicas and Redis, cut links, make the\n" +
			"provider fail. Needs redis-server and nginx (make setup installs them). Never for production.",
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
	c.Flags().StringVar(&o.Listen, "listen", "127.0.0.1:8090", "where the page is; a loopback address")
	c.Flags().IntVar(&o.Users, "users", 200, "how many users call")
	return c
}
