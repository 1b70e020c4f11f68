package renewal

import (
	"slices"
	"strings"

	"github.com/cloakroom/cloakroom/session"
)

// applyScope writes the scope of a renewal into rec. If the answer has none, it is unchanged (RFC
// 6749 §6). A renewal can't extend the scope that was granted at login (§6), so anything beyond
// that is ignored: otherwise a route's require.scopes would admit a user whom the login did not. A
// narrower scope is accepted, and a later renewal may extend it again up to the granted scope.
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
	if len(scope) == len(ceiling) { // the same scope, in any order
		rec.Scope, rec.Granted = rec.Granted, ""
	}
}
