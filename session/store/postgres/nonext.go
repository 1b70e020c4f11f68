//go:build !layoutnext

package postgres

// nextSteps are the migrations of a build to come, of which there are none.
func nextSteps() []step { return nil }
