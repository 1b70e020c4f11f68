package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"text/tabwriter"
	"time"

	"github.com/dustin/go-humanize"
	"github.com/spf13/cobra"

	"github.com/cloakroom/cloakroom/config"
	"github.com/cloakroom/cloakroom/server"
	"github.com/cloakroom/cloakroom/session"
)

func keysCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "keys",
		Short: "Show and change the keys that sessions are sealed under",
		Long: "Show and change the keys that sessions are sealed under, beside a service that goes on.\n\n" +
			"To change keys without logging anyone out, have them come from files (${file:PATH}), since a running process sees\n" +
			"no change of its environment: put the new key second in session.keys of every replica and send\n" +
			"them SIGHUP; put it first and send SIGHUP again; run keys reseal; when keys status shows nothing under the old\n" +
			"key, and session.lifetime has passed for the cookies that it signed, take it out.",
		Example: "  cloakroom keys status --config cloakroom.yaml\n  cloakroom keys reseal --config cloakroom.yaml",
	}
	c.AddCommand(keysStatusCommand(), keysResealCommand())
	return c
}

func keysStatusCommand() *cobra.Command {
	var path string
	c := &cobra.Command{
		Use:     "status",
		Short:   "Count what is sealed under each key",
		Example: "  cloakroom keys status --config cloakroom.yaml",
		Args:    cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			return withSessions(c.Context(), path, func(ctx context.Context, m *session.Manager) error {
				p := progress{w: c.ErrOrStderr()}
				uses, err := m.KeyUses(ctx, func(seen int) { p.show("%s sessions seen", humanize.Comma(int64(seen))) })
				p.done()
				if err != nil {
					return err
				}
				return printUses(c.OutOrStdout(), uses)
			})
		},
	}
	addConfigFlag(c, &path)
	return c
}

// printUses prints a row for each key, and what to do about those that are not there.
func printUses(w io.Writer, uses []session.KeyUse) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "KEY\tID\tSESSIONS\tREVOCATIONS WAITING\t")
	missing := false
	for i, u := range uses {
		name := fmt.Sprintf("session.keys[%d]", i)
		switch {
		case !u.Configured:
			name, missing = "not configured", true
		case i == 0:
			name += ", seals"
		}
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\t\n", name, u.ID, humanize.Comma(int64(u.Sessions)), humanize.Comma(int64(u.Revocations)))
	}
	if missing {
		fmt.Fprintln(t, "\nWhat lies under a key that is not configured can't be opened: put that key back, behind the others.")
	}
	return t.Flush()
}

func keysResealCommand() *cobra.Command {
	var path string
	c := &cobra.Command{
		Use:     "reseal",
		Short:   "Seal every session anew, under the first key",
		Example: "  cloakroom keys reseal --config cloakroom.yaml",
		Args:    cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			return withSessions(c.Context(), path, func(ctx context.Context, m *session.Manager) error {
				p := progress{w: c.ErrOrStderr()}
				moved, err := m.Reseal(ctx, func(seen, moved int) {
					p.show("%s sessions seen, %s sealed anew", humanize.Comma(int64(seen)), humanize.Comma(int64(moved)))
				})
				p.done()
				if err != nil {
					return fmt.Errorf("%s sessions were sealed anew, then: %w; running it again goes on with the rest", humanize.Comma(int64(moved)), err)
				}
				fmt.Fprintf(c.OutOrStdout(), "%s sessions were sealed anew.\n", humanize.Comma(int64(moved)))
				return nil
			})
		},
	}
	addConfigFlag(c, &path)
	return c
}

// withSessions opens the store of a configuration for as long as fn takes.
func withSessions(ctx context.Context, path string, fn func(context.Context, *session.Manager) error) error {
	cfg, err := config.Load(path)
	if err != nil {
		return err
	}
	if cfg.Store.URL.Equal("memory:") {
		return errors.New("session.store is memory: its sessions are in the service's own process, and end with it")
	}
	m, closeAll, err := server.OpenSessions(ctx, cfg, slog.New(slog.DiscardHandler))
	if err != nil {
		return err
	}
	return errors.Join(fn(ctx, m), closeAll())
}

// progress shows where something stands that takes a while, on one line that is written over.
type progress struct {
	w     io.Writer
	shown time.Time
}

func (p *progress) show(format string, args ...any) {
	if time.Since(p.shown) < time.Second/4 {
		return
	}
	p.shown = time.Now()
	fmt.Fprintf(p.w, "\r"+format+" ", args...)
}

func (p *progress) done() {
	if !p.shown.IsZero() {
		fmt.Fprint(p.w, "\r\033[K")
	}
}
