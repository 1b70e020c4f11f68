// Command cloakroom is the service and its tools: serve, check, keys, demo, keygen, version.
//
// A file per subcommand, which parses its flags and gives its exit code; what they do is done by
// the packages server, check and demo.
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

// An exitError ends the process with a code of its own; the message was printed already.
type exitError struct{ code int }

func (e exitError) Error() string { return fmt.Sprintf("exit %d", e.code) }

// run executes a command line and returns the exit code. SIGTERM and SIGINT end it cleanly; a
// second one ends it at once.
func run(args []string) int {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, os.Interrupt)
	defer stop()
	context.AfterFunc(ctx, stop) // from here on the signals do what they do by default

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

// addConfigFlag adds --config, which every command that reads the file has.
func addConfigFlag(c *cobra.Command, path *string) {
	c.Flags().StringVar(path, "config", "cloakroom.yaml", "configuration file")
}
