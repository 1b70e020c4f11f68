//go:build !layoutnext

package sqlite

// nextMigrations are those of a build to come, of which there are none.
func nextMigrations() []string { return nil }
