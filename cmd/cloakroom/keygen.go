package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/cloakroom/cloakroom/keys"
)

func keygenCommand() *cobra.Command {
	return &cobra.Command{
		Use:     "keygen",
		Short:   "Print one fresh key for session.keys",
		Long:    "Print one fresh key for session.keys: 32 random bytes, base64.\nPut a new key first in the list; the old ones behind it still open what they sealed.",
		Example: "  cloakroom keygen > /run/secrets/cloakroom.key",
		Args:    cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			_, err := fmt.Fprintln(c.OutOrStdout(), keys.Generate().Reveal())
			return err
		},
	}
}
