//go:build layoutnext

package postgres

import _ "embed" // the step

//go:embed testdata/next.sql
var next string

// nextSteps makes of this build the next one, as far as the layout goes: tests have it run beside this one.
func nextSteps() []step { return []step{{"testdata/next.sql", next}} }
