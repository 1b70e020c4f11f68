package main

import (
	"fmt"
	"os"

	"github.com/spf13/cobra"

	"github.com/cloakroom/cloakroom/check"
	"github.com/cloakroom/cloakroom/config"
)

func checkCommand() *cobra.Command {
	var path string
	var offline, asJSON bool
	c := &cobra.Command{
		Use:   "check [FILE]",
		Short: "Read the file, then try every provider, store and upstream",
		Long: "Read the file, then try every provider, store and upstream; print a row for each finding with its\n" +
			"remedy, and the URIs to register at each provider.\n" +
			"Exit 0: nothing is wrong. 1: something is. 2: the file can't be read.",
		Example: "  cloakroom check cloakroom.yaml\n  cloakroom check --offline --json | jq '.findings[] | select(.status != \"ok\")'",
		Args:    cobra.MaximumNArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			if len(args) == 1 {
				if c.Flags().Changed("config") {
					return fmt.Errorf("the file is named twice, as %q and by --config: leave one out", args[0])
				}
				path = args[0]
			}
			cfg, err := config.Load(path)
			if err != nil {
				fmt.Fprintln(os.Stderr, "cloakroom:", err)
				return exitError{2}
			}
			report := check.Run(c.Context(), cfg, check.Options{Offline: offline, Version: version})
			if err := report.Write(c.OutOrStdout(), asJSON); err != nil {
				return err
			}
			if !report.OK() {
				return exitError{1}
			}
			return nil
		},
	}
	addConfigFlag(c, &path)
	c.Flags().BoolVar(&offline, "offline", false, "only the file and the store's address; ask nobody")
	c.Flags().BoolVar(&asJSON, "json", false, "print the findings as JSON")
	return c
}
