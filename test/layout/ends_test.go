package layout

import (
	"fmt"
	"go/ast"
)

// ends finds what could end a session past package session, which tells everybody of an end: its
// subscribers, the cache, the log. A store's Records, which end sessions in silence, are for it alone.
func ends(s source) []string {
	folder := s.folder()
	if s.test() || folder == "session" || folder == "session/storage" || within(folder, "session/store") || within(folder, "test") {
		return nil
	}
	var found []string
	ast.Inspect(s.ast, func(n ast.Node) bool {
		if x, ok := n.(*ast.SelectorExpr); ok && x.Sel.Name == "Records" {
			found = append(found, fmt.Sprintf("%s: a store's Records are used; ask the session.Manager, which tells everybody when a session ends", s.path))
		}
		return true
	})
	return found
}
