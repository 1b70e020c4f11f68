package renewal

import (
	"slices"
	"strings"

	"github.com/cloakroom/cloakroom/session"
)

// applyScope writes the scope of a renewal into rec. Absent, it is as before (RFC 6749 §6). What was
// granted at login is the ceiling: §6 lets nobody ask for more in a renewal, so what an answer says
// beyond it is not believed, or a route's require.scopes would let in a user whom the login did not.
// A narrower scope counts, and may grow again up to the ceiling.
func applyScope(rec *session.Record, answered string) {
	if answered == "" {
		return
	}
	if rec.Granted == "" {
		rec.Granted = rec.Scope
	}
	ceiling := strings.Fields(rec.Granted)
	var scope []string
	for s := range strings.FieldsSeq(answered) {
		if slices.Contains(ceiling, s) && !slices.Contains(scope, s) {
			scope = append(scope, s)
		}
	}
	rec.Scope = strings.Join(scope, " ")
	if len(scope) == len(ceiling) { // the same, in whichever order
		rec.Scope, rec.Granted = rec.Granted, ""
	}
}
