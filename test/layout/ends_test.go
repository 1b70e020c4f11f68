package layout

import (
	"fmt"
	"go/ast"
)

// ends finds code that could end a session without package session, which notifies subscribers, the
// cache and the log. A store's Records end sessions without that, so only package session may use
// them.
func ends(s source) []string {
	folder := s.folder()
	allowed := folder == "session" || folder == "session/storage" || within(folder, "session/store")
	if s.test() || allowed || within(folder, "test") {
		return nil
	}
	var found []string
	ast.Inspect(s.ast, func(n ast.Node) bool {
		if x, ok := n.(*ast.SelectorExpr); ok && x.Sel.Name == "Records" {
			found = append(found, fmt.Sprintf("%s: a store's Records are used; "+
				"use the session.Manager, which notifies everybody when a session ends", s.path))
		}
		return true
	})
	return found
}
