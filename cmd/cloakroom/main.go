// Command cloakroom is the service and its tools: serve, check, keys, demo, keygen, version.
//
// Each subcommand has a file, which parses its flags and sets its exit code. The packages server,
// check, session and demo do the work.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"
)

func main() { os.Exit(run(os.Args[1:])) }

// An exitError ends the process with its own exit code. The message is already printed.
type exitError struct{ code int }

func (e exitError) Error() string { return fmt.Sprintf("exit %d", e.code) }

// run executes a command line and returns the exit code. SIGTERM and SIGINT cancel its context; a
// second signal ends the process at once.
func run(args []string) int {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, os.Interrupt)
	defer stop()
	context.AfterFunc(ctx, stop) // restores the default behavior of the signals

	root := &cobra.Command{
		Use:           "cloakroom",
		Short:         "Stands between a browser app and its APIs, and keeps the tokens",
		SilenceUsage:  true,
		SilenceErrors: true,
	}
	root.CompletionOptions.HiddenDefaultCmd = true
	root.AddCommand(serveCommand(), checkCommand(), keygenCommand(), keysCommand(), versionCommand())
	root.AddCommand(demoCommands()...)
	root.SetArgs(args)

	err := root.ExecuteContext(ctx)
	var exit exitError
	switch {
	case err == nil:
		return 0
	case errors.As(err, &exit):
		return exit.code
	}
	fmt.Fprintln(os.Stderr, "cloakroom:", err)
	return 1
}

// addConfigFlag adds the flag --config to a command that reads the configuration file.
func addConfigFlag(c *cobra.Command, path *string) {
	c.Flags().StringVar(path, "config", "cloakroom.yaml", "configuration file")
}
