//go:build layoutnext

package sqlite

import _ "embed" // the migration

//go:embed testdata/next.sql
var next string

// nextMigrations adds the layout of a future build, so that tests can run it beside this one.
func nextMigrations() []string { return []string{next} }
