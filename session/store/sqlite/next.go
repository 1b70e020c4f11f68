//go:build layoutnext

package sqlite

import _ "embed" // the migration

//go:embed testdata/next.sql
var next string

// nextMigrations makes of this build the next one, as far as the layout goes: tests have it run beside this one.
func nextMigrations() []string { return []string{next} }
