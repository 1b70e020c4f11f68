package layout

import (
	"fmt"
	"go/ast"
	"go/token"
	"strconv"
)

const (
	flights = "golang.org/x/sync/singleflight"
	pausing = "github.com/cenkalti/backoff/v5"
)

// retries finds pauses and flights that go by no row of resilience's table, which operators see.
func retries(s source) []string {
	if s.test() || s.folder() == "resilience" || within(s.folder(), "demo") || within(s.folder(), "test") {
		return nil
	}
	var found []string
	fault := func(what, remedy string) {
		found = append(found, fmt.Sprintf("%s: %s; %s", s.path, what, remedy))
	}
	pauses := false
	for _, spec := range s.ast.Imports {
		if spec.Path.Value == strconv.Quote(flights) {
			fault("singleflight is used", "take a resilience.Flight")
		}
		pauses = pauses || spec.Path.Value == strconv.Quote(pausing)
	}
	ast.Inspect(s.ast, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.SelectorExpr:
			switch selected(n) {
			case "backoff.ExponentialBackOff", "backoff.NewExponentialBackOff",
				"backoff.ConstantBackOff", "backoff.NewConstantBackOff":
				fault("a pause is made apart from the table", "give it a row in resilience")
			case "backoff.Retry":
				if pauses && !calls(s.ast, "backoff.WithBackOff") {
					fault("backoff.Retry has its own pauses", "give it those of a row of resilience")
				}
			}
		case *ast.CallExpr:
			if doubles(n) {
				fault("a pause is doubled by hand", "give it a row in resilience")
			}
		}
		return true
	})
	return found
}

// calls reports whether a file calls package.Name.
func calls(file *ast.File, name string) (called bool) {
	ast.Inspect(file, func(n ast.Node) bool {
		call, ok := n.(*ast.CallExpr)
		called = called || ok && selected(call.Fun) == name
		return !called
	})
	return called
}

// doubles reports whether a call is the smaller of a bound and a value that is doubled or shifted.
func doubles(call *ast.CallExpr) bool {
	if name, ok := call.Fun.(*ast.Ident); !ok || name.Name != "min" {
		return false
	}
	for _, arg := range call.Args {
		b, ok := arg.(*ast.BinaryExpr)
		if ok && (b.Op == token.SHL || b.Op == token.MUL && (isTwo(b.X) || isTwo(b.Y))) {
			return true
		}
	}
	return false
}

func isTwo(e ast.Expr) bool {
	lit, ok := e.(*ast.BasicLit)
	return ok && lit.Value == "2"
}
