//go:build !layoutnext

package sqlite

// nextMigrations are the migrations of a future build; a release has none.
func nextMigrations() []string { return nil }
