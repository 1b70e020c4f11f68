//go:build layoutnext

package postgres

import _ "embed" // the step

//go:embed testdata/next.sql
var next string

// nextSteps adds the layout of the next build, so that tests can run it beside this one.
func nextSteps() []step { return []step{{"testdata/next.sql", next}} }
