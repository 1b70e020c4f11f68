package layout

import (
	"go/ast"
	"go/token"
	"maps"
	"slices"
	"testing"
)

// mostOfSession is how many names package session may export at its top level. It is for those who
// use sessions: what stores are made of is in session/storage, and what a process knows in
// session/local.
const mostOfSession = 35

// TestSessionShowsWhatIsUsed: no exported name of package session is without a user elsewhere.
func TestSessionShowsWhatIsUsed(t *testing.T) {
	sources, err := readModule("../..")
	if err != nil {
		t.Fatal(err)
	}
	exported, used := map[string]bool{}, map[string]bool{}
	for _, s := range sources {
		switch {
		case s.test() || within(s.folder(), "test"):
		case s.folder() == "session":
			for _, name := range exportedNames(s) {
				exported[name] = true
			}
		default:
			ast.Inspect(s.ast, func(n ast.Node) bool {
				if e, ok := n.(ast.Expr); ok && packageOf(e) == "session" {
					used[e.(*ast.SelectorExpr).Sel.Name] = true
				}
				return true
			})
		}
	}
	names := slices.Sorted(maps.Keys(exported))
	if len(names) == 0 || len(names) > mostOfSession {
		t.Errorf("session exports %d names, want 1 to %d: %q", len(names), mostOfSession, names)
	}
	for _, name := range names {
		if !used[name] {
			t.Errorf("session.%s has no user outside the package and tests; unexport it", name)
		}
	}
}

// packageOf is the package in package.Name, otherwise "".
func packageOf(e ast.Expr) string {
	if s, ok := e.(*ast.SelectorExpr); ok {
		if x, ok := s.X.(*ast.Ident); ok {
			return x.Name
		}
	}
	return ""
}

// exportedNames are the exported functions, types, constants and variables of a file.
func exportedNames(s source) (names []string) {
	keep := func(id *ast.Ident) {
		if id.IsExported() {
			names = append(names, id.Name)
		}
	}
	for _, decl := range s.ast.Decls {
		switch d := decl.(type) {
		case *ast.FuncDecl:
			if d.Recv == nil {
				keep(d.Name)
			}
		case *ast.GenDecl:
			if d.Tok == token.IMPORT {
				continue
			}
			for _, spec := range d.Specs {
				switch x := spec.(type) {
				case *ast.TypeSpec:
					keep(x.Name)
				case *ast.ValueSpec:
					for _, name := range x.Names {
						keep(name)
					}
				}
			}
		}
	}
	return names
}
