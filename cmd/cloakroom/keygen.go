package main

import (
	"crypto/rand"
	"encoding/base64"
	"fmt"

	"github.com/spf13/cobra"
)

func keygenCommand() *cobra.Command {
	return &cobra.Command{
		Use:     "keygen",
		Short:   "Print one fresh key for session.keys",
		Long:    "Print one fresh key for session.keys: 32 random bytes, base64.\nPut a new key first in the list; the old ones behind it still open what they sealed.",
		Example: "  cloakroom keygen > /run/secrets/cloakroom.key",
		Args:    cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			key := make([]byte, 32)
			rand.Read(key) // never fails (crypto/rand, Go 1.24)
			_, err := fmt.Fprintln(c.OutOrStdout(), base64.StdEncoding.EncodeToString(key))
			return err
		},
	}
}
