//go:build nodemo

package main

import "github.com/spf13/cobra"

// demoCommands is empty in the container image, which is for production (build tag nodemo).
func demoCommands() []*cobra.Command { return nil }
