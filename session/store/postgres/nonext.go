//go:build !layoutnext

package postgres

// nextSteps are the migrations of a future build; a release has none.
func nextSteps() []step { return nil }
