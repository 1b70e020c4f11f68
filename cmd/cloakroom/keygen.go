package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/cloakroom/cloakroom/keys"
)

func keygenCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "keygen",
		Short: "Print a new key for session.keys",
		Long: "Print a new key for session.keys: 32 random bytes, in base64.\n" +
			"Put a new key first in the list; the old ones after it still open what they sealed.",
		Example: "  cloakroom keygen > /run/secrets/cloakroom.key",
		Args:    cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			_, err := fmt.Fprintln(c.OutOrStdout(), keys.Generate().Reveal())
			return err
		},
	}
}
