// Package layout holds the tree to the rows that house style gives it: who may import whom, what
// needs a comment, how long a file may be.
package layout

import (
	"bytes"
	"encoding/json"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

const module = "github.com/cloakroom/cloakroom"

// rows are the packages by their place: one imports only from rows above its own.
var rows = map[string]int{
	"secret": 0,
	"config": 1, "templates": 1, "provider": 1, "session": 1,
	"session/store": 2, "session/store/memory": 2, "session/store/sqlite": 2, "session/store/storetest": 2,
	"session/login": 2, "session/renewal": 2, "session/revocation": 2,
	"handlers/problem": 3,
	"handlers":         4, "handlers/admin": 4, "proxy": 4, "web": 4, "web/demo": 4,
	"server": 5,
	"check":  6, "demo": 6, "demo/devprovider": 6, "demo/sampleapi": 6,
	"cmd/cloakroom": 7, "cmd/sampleapi": 7,
}

// seesConfig are the packages that may know the whole configuration.
var seesConfig = []string{"server", "check", "demo", "cmd/cloakroom"}

const maxLines = 500

// A pkg is what go list says of a package.
type pkg struct {
	ImportPath string
	Dir        string
	GoFiles    []string
	Imports    []string
}

func (p pkg) name() string { return strings.TrimPrefix(strings.TrimPrefix(p.ImportPath, module), "/") }

func packages(t *testing.T) []pkg {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), "go", "list", "-json=ImportPath,Dir,GoFiles,Imports", module+"/...").Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	var all []pkg
	for d := json.NewDecoder(bytes.NewReader(out)); d.More(); {
		var p pkg
		if err := d.Decode(&p); err != nil {
			t.Fatal(err)
		}
		all = append(all, p)
	}
	return all
}

// importFaults are the imports of a package that its row does not allow.
func importFaults(name string, imports []string) []string {
	if strings.HasPrefix(name, "test/") || name == "deploy" {
		return nil
	}
	row, known := rows[name]
	if !known {
		return []string{"package " + name + " has no row: give it one in test/layout, or put the code where it belongs"}
	}
	var faults []string
	for _, imported := range imports {
		if strings.HasPrefix(imported, "github.com/zitadel/oidc") && !strings.HasPrefix(name, "demo") {
			faults = append(faults, name+" imports the development provider's library: only demo may")
		}
		other, own := strings.CutPrefix(imported, module+"/")
		if !own {
			continue
		}
		if strings.HasPrefix(other, "demo") && !strings.HasPrefix(name, "demo") && !strings.HasPrefix(name, "cmd/") {
			faults = append(faults, name+" imports "+other+": nothing of the running service may know the demo")
		}
		if other == "config" && !slices.Contains(seesConfig, name) {
			faults = append(faults, name+" imports config: give it the few values it needs")
		}
		if rows[other] >= row && !sameFamily(name, other) {
			faults = append(faults, fmt.Sprintf("%s (row %d) imports %s (row %d): only rows above its own are its to use", name, row, other, rows[other]))
		}
	}
	return faults
}

// sameFamily are the exceptions: the stores below session/store, the parts of the demo.
func sameFamily(name, other string) bool {
	return strings.HasPrefix(other, name+"/") && (name == "session/store" || name == "demo")
}

// commentFaults are the missing comments of one file, and its package comment if it has one.
func commentFaults(path string, src []byte) (faults []string, packageComment bool, err error) {
	fset := token.NewFileSet()
	f, err := parser.ParseFile(fset, path, src, parser.ParseComments)
	if err != nil {
		return nil, false, err
	}
	missing := func(n ast.Node, what string) {
		faults = append(faults, fmt.Sprintf("%s: %s is exported and has no comment: say what code can't", fset.Position(n.Pos()), what))
	}
	for _, d := range f.Decls {
		switch d := d.(type) {
		case *ast.FuncDecl:
			if d.Name.IsExported() && d.Doc == nil && exportedReceiver(d) {
				missing(d, d.Name.Name)
			}
		case *ast.GenDecl:
			for _, s := range d.Specs {
				if name, doc := specName(s); name != "" && d.Doc == nil && doc == nil {
					missing(s, name)
				}
			}
		}
	}
	if lines := bytes.Count(src, []byte("\n")); lines > maxLines {
		faults = append(faults, fmt.Sprintf("%s has %d lines, over %d: there is a seam in it", path, lines, maxLines))
	}
	return faults, f.Doc != nil, nil
}

func exportedReceiver(d *ast.FuncDecl) bool {
	if d.Recv == nil {
		return true
	}
	t := d.Recv.List[0].Type
	if star, ok := t.(*ast.StarExpr); ok {
		t = star.X
	}
	id, ok := t.(*ast.Ident)
	return ok && id.IsExported()
}

// specName is the exported name that a declaration declares, and its own comment.
func specName(s ast.Spec) (string, *ast.CommentGroup) {
	switch s := s.(type) {
	case *ast.TypeSpec:
		if s.Name.IsExported() {
			return s.Name.Name, s.Doc
		}
	case *ast.ValueSpec:
		if s.Names[0].IsExported() {
			if s.Doc != nil {
				return s.Names[0].Name, s.Doc
			}
			return s.Names[0].Name, s.Comment
		}
	}
	return "", nil
}

func TestImportsFollowTheRows(t *testing.T) {
	for _, p := range packages(t) {
		for _, fault := range importFaults(p.name(), p.Imports) {
			t.Error(fault)
		}
	}
}

func TestEverythingExportedHasAComment(t *testing.T) {
	for _, p := range packages(t) {
		described := len(p.GoFiles) == 0
		for _, file := range p.GoFiles {
			path := filepath.Join(p.Dir, file)
			src, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			faults, comment, err := commentFaults(path, src)
			if err != nil {
				t.Fatal(err)
			}
			described = described || comment
			for _, f := range faults {
				t.Error(f)
			}
		}
		if !described {
			t.Errorf("package %s has no package comment: say what it owns and what it must not know", p.name())
		}
		if slices.Contains([]string{"util", "utils", "common", "helpers", "misc"}, filepath.Base(p.Dir)) {
			t.Errorf("package %s: name it after what lives in it", p.name())
		}
	}
}

func TestTheRulesSeeWhatBreaksThem(t *testing.T) {
	for _, c := range []struct {
		name   string
		faults []string
	}{
		{"an import downwards", importFaults("session", []string{module + "/server"})},
		{"an import within the row", importFaults("session/login", []string{module + "/session/renewal"})},
		{"config in a handler", importFaults("handlers", []string{module + "/config"})},
		{"the demo in the service", importFaults("server", []string{module + "/demo"})},
		{"the provider's library in the service", importFaults("provider", []string{"github.com/zitadel/oidc/v3/pkg/op"})},
		{"a package without a row", importFaults("helpers", nil)},
	} {
		if len(c.faults) == 0 {
			t.Errorf("%s is not seen", c.name)
		}
	}
	if f := importFaults("session/store", []string{module + "/session", module + "/session/store/sqlite"}); len(f) != 0 {
		t.Errorf("the stores may be opened by session/store: %v", f)
	}
	faults, comment, err := commentFaults("x.go", []byte("package x\n\nfunc Exported() {}\n\ntype T struct{}\n\n// V is one.\nvar V int\n"))
	if err != nil || comment || len(faults) != 2 {
		t.Errorf("comment faults = %q, %v, %v; want two and no package comment", faults, comment, err)
	}
}
