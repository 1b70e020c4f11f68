package layout

import (
	"fmt"
	"go/ast"
	"go/token"
	"maps"
	"slices"
	"strings"
)

// withoutPackageComment finds packages without a comment that says what they own and must not know.
func withoutPackageComment(sources []source) []string {
	commented := map[string]bool{}
	named := map[string]string{}
	for _, s := range sources {
		folder := s.folder()
		if s.test() && named[folder] != "" && !strings.HasSuffix(named[folder], "_test.go") {
			continue // the package comment must be in the package, not in its tests
		}
		if named[folder] == "" || !s.test() && strings.HasSuffix(named[folder], "_test.go") {
			named[folder], commented[folder] = s.path, false
		}
		commented[folder] = commented[folder] || saysPackage(s)
	}
	var found []string
	for _, folder := range slices.Sorted(maps.Keys(named)) {
		if !commented[folder] {
			found = append(found, fmt.Sprintf("%s: package %s has no comment; begin one with \"Package %[2]s\" "+
				"(\"Command %[2]s\" for a main) and say what it owns and what it must not know",
				named[folder], pathBase(folder)))
		}
	}
	return found
}

func pathBase(folder string) string { return folder[strings.LastIndex(folder, "/")+1:] }

func saysPackage(s source) bool {
	text := s.ast.Doc.Text()
	if s.ast.Name.Name == "main" {
		return strings.HasPrefix(text, "Command ")
	}
	return strings.HasPrefix(text, "Package "+s.ast.Name.Name+" ")
}

// undocumented finds exported identifiers without a comment.
func undocumented(s source) []string {
	if s.test() {
		return nil
	}
	var found []string
	fault := func(name string) {
		found = append(found, fmt.Sprintf("%s: %s has no comment; "+
			"say what its name can't: unit, limit, zero value, error, who may call", s.path, name))
	}
	for _, decl := range s.ast.Decls {
		switch d := decl.(type) {
		case *ast.FuncDecl:
			if d.Name.IsExported() && d.Doc.Text() == "" && exportedReceiver(d) {
				fault(d.Name.Name)
			}
		case *ast.GenDecl:
			for _, name := range undocumentedIn(d) {
				fault(name)
			}
		}
	}
	return found
}

// exportedReceiver reports whether a function can be called by its name from outside: it has no
// receiver, or one of an exported type.
func exportedReceiver(d *ast.FuncDecl) bool {
	if d.Recv == nil {
		return true
	}
	t := d.Recv.List[0].Type
	for {
		switch x := t.(type) {
		case *ast.StarExpr:
			t = x.X
		case *ast.IndexExpr:
			t = x.X
		case *ast.IndexListExpr:
			t = x.X
		case *ast.Ident:
			return x.IsExported()
		default:
			return false
		}
	}
}

// undocumentedIn finds names without a comment of their own or for their group. A comment for
// several types does not count.
func undocumentedIn(d *ast.GenDecl) []string {
	var found []string
	for _, spec := range d.Specs {
		switch x := spec.(type) {
		case *ast.TypeSpec:
			single := !d.Lparen.IsValid() && d.Doc.Text() != ""
			if x.Name.IsExported() && x.Doc.Text() == "" && !single {
				found = append(found, x.Name.Name)
			}
		case *ast.ValueSpec:
			if d.Tok == token.IMPORT || d.Doc.Text() != "" || x.Doc.Text() != "" || x.Comment.Text() != "" {
				continue
			}
			for _, name := range x.Names {
				if name.IsExported() {
					found = append(found, name.Name)
				}
			}
		}
	}
	return found
}
