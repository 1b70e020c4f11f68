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
		Short: "Check the file, and every provider, store and upstream that it names",
		Long: "Check the file, and every provider, store and upstream that it names. Print a row for each finding,\n" +
			"with its remedy, and the URIs to register at each provider.\n" +
			"Exit 0: nothing is wrong. 1: something is. 2: the file can't be read.",
		Example: "  cloakroom check cloakroom.yaml\n" +
			"  cloakroom check --offline --json | jq '.findings[] | select(.status != \"ok\")'",
		Args: cobra.MaximumNArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			if len(args) == 1 {
				if c.Flags().Changed("config") {
					return fmt.Errorf("the file is given twice, as %q and by --config: omit one", args[0])
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
	c.Flags().BoolVar(&offline, "offline", false, "check the file alone, without network access")
	c.Flags().BoolVar(&asJSON, "json", false, "print the findings as JSON")
	return c
}
