package layout

import (
	"fmt"
	"go/ast"
	"strconv"
)

// clocks finds uses of the machine's clock where replicas must share a time: securecookie's own age
// limit, whose clock can't be replaced, and parts that get time.Now instead of the shared clock.
func clocks(s source) []string {
	if s.test() || within(s.folder(), "demo") || within(s.folder(), "test") {
		return nil
	}
	sealed := false
	for _, spec := range s.ast.Imports {
		sealed = sealed || spec.Path.Value == strconv.Quote(sealing)
	}
	var found []string
	makes, ageless := 0, 0
	ast.Inspect(s.ast, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.CallExpr:
			switch called := selected(n.Fun); {
			case called == "securecookie.New", called == "securecookie.CodecsFromPairs":
				makes++
			case sealed && methodOf(n.Fun) == "MaxAge" && isZero(n.Args):
				ageless++
			}
		case *ast.KeyValueExpr:
			if selected(n.Value) == "time.Now" {
				found = append(found, fmt.Sprintf("%s: a part is given time.Now; "+
					"give it the clock.Clock's Now, which replicas share", s.path))
			}
		}
		return true
	})
	if ageless < makes {
		found = append(found, fmt.Sprintf("%s: securecookie judges age by this machine's clock; "+
			"call MaxAge(0), seal the time inside, and check it by the shared clock", s.path))
	}
	return found
}

// selected returns the text of an expression package.Name, or "" for any other.
func selected(e ast.Expr) string {
	if s, ok := e.(*ast.SelectorExpr); ok {
		if x, ok := s.X.(*ast.Ident); ok {
			return x.Name + "." + s.Sel.Name
		}
	}
	return ""
}

func methodOf(e ast.Expr) string {
	if s, ok := e.(*ast.SelectorExpr); ok {
		return s.Sel.Name
	}
	return ""
}

func isZero(args []ast.Expr) bool {
	if len(args) != 1 {
		return false
	}
	l, ok := args[0].(*ast.BasicLit)
	return ok && l.Value == "0"
}
