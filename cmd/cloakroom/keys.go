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
		Short: "Show and rotate the keys that seal sessions",
		Long: "Show and rotate the keys that seal sessions, while the service runs.\n\n" +
			"To rotate a key without logging anyone out, keep the keys in files (${file:PATH}), because a running\n" +
			"process does not see changes of its environment:\n" +
			"  1. Put the new key second in session.keys of every replica, and send each SIGHUP.\n" +
			"  2. Put it first, and send SIGHUP again.\n" +
			"  3. Run keys reseal.\n" +
			"  4. Remove the old key once keys status shows nothing under it and session.lifetime has passed,\n" +
			"     because cookies that it sealed may be that old.",
		Example: "  cloakroom keys status --config cloakroom.yaml\n  cloakroom keys reseal --config cloakroom.yaml",
	}
	c.AddCommand(keysStatusCommand(), keysResealCommand())
	return c
}

func keysStatusCommand() *cobra.Command {
	var path string
	c := &cobra.Command{
		Use:     "status",
		Short:   "Count the sessions and revocations that each key seals",
		Example: "  cloakroom keys status --config cloakroom.yaml",
		Args:    cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			return withSessions(c.Context(), path, func(ctx context.Context, m *session.Manager) error {
				p := progress{w: c.ErrOrStderr()}
				uses, err := m.KeyUses(ctx, func(seen int) {
					p.show("%s sessions read", humanize.Comma(int64(seen)))
				})
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

// printUses prints a row for each key, and what to do about keys that are not configured.
func printUses(w io.Writer, uses []session.KeyUse) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "KEY\tID\tSESSIONS\tPENDING REVOCATIONS\t")
	missing := false
	for i, u := range uses {
		name := fmt.Sprintf("session.keys[%d]", i)
		switch {
		case !u.Configured:
			name, missing = "not configured", true
		case i == 0:
			name += ", seals"
		}
		sessions, revocations := humanize.Comma(int64(u.Sessions)), humanize.Comma(int64(u.Revocations))
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\t\n", name, u.ID, sessions, revocations)
	}
	if missing {
		fmt.Fprintln(t, "\nWhat was sealed with a key that is not configured can't be opened: "+
			"put that key back, after the others.")
	}
	return t.Flush()
}

func keysResealCommand() *cobra.Command {
	var path string
	c := &cobra.Command{
		Use:     "reseal",
		Short:   "Seal every session with the first key",
		Example: "  cloakroom keys reseal --config cloakroom.yaml",
		Args:    cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			return withSessions(c.Context(), path, func(ctx context.Context, m *session.Manager) error {
				p := progress{w: c.ErrOrStderr()}
				resealed, err := m.Reseal(ctx, func(seen, resealed int) {
					p.show("%s sessions read, %s resealed", humanize.Comma(int64(seen)), humanize.Comma(int64(resealed)))
				})
				p.done()
				if err != nil {
					return fmt.Errorf("%s sessions were resealed, then: %w; run it again for the rest",
						humanize.Comma(int64(resealed)), err)
				}
				fmt.Fprintf(c.OutOrStdout(), "%s sessions were resealed.\n", humanize.Comma(int64(resealed)))
				return nil
			})
		},
	}
	addConfigFlag(c, &path)
	return c
}

// withSessions opens the store of the configuration at path, calls fn, and closes the store.
func withSessions(ctx context.Context, path string, fn func(context.Context, *session.Manager) error) error {
	cfg, err := config.Load(path)
	if err != nil {
		return err
	}
	if cfg.Store.URL.Equal("memory:") {
		return errors.New("session.store is memory: only the service's own process has its sessions")
	}
	m, closeAll, err := server.OpenSessions(ctx, cfg, slog.New(slog.DiscardHandler))
	if err != nil {
		return err
	}
	return errors.Join(fn(ctx, m), closeAll())
}

// progress shows the progress of a long operation on one line, which it overwrites.
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
