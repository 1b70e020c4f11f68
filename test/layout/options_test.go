package layout

import (
	"fmt"
	"go/ast"
	"strings"
)

// embedded finds structs that embed an Options: each of its fields would be a field of theirs, too,
// and exported where the struct is.
func embedded(s source) []string {
	if s.test() {
		return nil
	}
	var found []string
	ast.Inspect(s.ast, func(n ast.Node) bool {
		t, ok := n.(*ast.StructType)
		if !ok {
			return true
		}
		for _, f := range t.Fields.List {
			if name := typeName(f.Type); len(f.Names) == 0 && strings.HasSuffix(name, "Options") {
				found = append(found, fmt.Sprintf("%s: a struct embeds %s; give the field a name", s.path, name))
			}
		}
		return true
	})
	return found
}

// typeName is the name of a type, without its package and its star; "" for one that has none.
func typeName(e ast.Expr) string {
	switch e := e.(type) {
	case *ast.StarExpr:
		return typeName(e.X)
	case *ast.SelectorExpr:
		return e.Sel.Name
	case *ast.Ident:
		return e.Name
	}
	return ""
}
