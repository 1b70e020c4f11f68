package layout

import (
	"fmt"
	"go/ast"
	"strconv"
	"strings"
)

// managing is the package that manages what a browser has of a session, for package session.
const managing = "github.com/alexedwards/scs"

// cookies finds cookies whose attributes are not site's, and scs where it must not be: in a package
// that could start or end sessions past the Manager, or around a handler, whose every request would
// load a session and write it back.
func cookies(s source) []string {
	if s.test() || within(s.folder(), "demo") || within(s.folder(), "test") {
		return nil
	}
	var found []string
	fault := func(what, remedy string) {
		found = append(found, fmt.Sprintf("%s: %s; %s", s.path, what, remedy))
	}
	for _, spec := range s.ast.Imports {
		name, _ := strconv.Unquote(spec.Path.Value)
		if strings.HasPrefix(name, managing) && s.folder() != "session" {
			fault("scs is used", "start and end sessions with the session.Manager")
		}
	}
	ast.Inspect(s.ast, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.CompositeLit:
			if selected(n.Type) == "http.Cookie" && s.folder() != "site" {
				fault("a cookie is given attributes", "take Site.NewCookie's, which all cookies have")
			}
		case *ast.SelectorExpr:
			if n.Sel.Name == "LoadAndSave" {
				fault("LoadAndSave is used", "ask the session.Manager: it reads a record once, and writes by version")
			}
		}
		return true
	})
	return found
}
