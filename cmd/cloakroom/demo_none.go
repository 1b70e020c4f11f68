//go:build nodemo

package main

import "github.com/spf13/cobra"

// demoCommands is empty in the container image (build tag nodemo), which is made for production alone.
func demoCommands() []*cobra.Command { return nil }
