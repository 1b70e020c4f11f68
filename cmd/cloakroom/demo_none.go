//go:build nodemo

package main

import "github.com/spf13/cobra"

// demoCommands is empty in the release build: no development provider gets near production.
func demoCommands() []*cobra.Command { return nil }
