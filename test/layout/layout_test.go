// Package layout holds the source to its own rules: what may import what, what must have a comment,
// how packages are named, how long a file and how wide a line may be, which clock is used, and that
// the running service holds no development provider. It reads every Go file of the module, whatever
// its build tags.
package layout

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

const module = "github.com/cloakroom/cloakroom"

// A source is one Go file: path is relative to the module, with slashes.
type source struct {
	path string
	text string
	ast  *ast.File
}

func (s source) folder() string { return path.Dir(s.path) }
func (s source) test() bool     { return strings.HasSuffix(s.path, "_test.go") }

// parse reads one file. An error stops everything: what can't be parsed is not checked either.
func parse(name, text string) (source, error) {
	f, err := parser.ParseFile(token.NewFileSet(), name, text, parser.ParseComments|parser.SkipObjectResolution)
	return source{path: name, text: text, ast: f}, err
}

// readModule reads the module's own files, whatever their build tags.
func readModule(root string) ([]source, error) {
	var found []source
	err := filepath.WalkDir(root, func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() {
			if name != root && (skipped(d.Name()) || exists(filepath.Join(name, "go.mod"))) {
				return filepath.SkipDir
			}
			return nil
		}
		if !strings.HasSuffix(name, ".go") {
			return nil
		}
		text, err := os.ReadFile(name)
		if err != nil {
			return err
		}
		relative, err := filepath.Rel(root, name)
		if err != nil {
			return err
		}
		s, err := parse(filepath.ToSlash(relative), string(text))
		found = append(found, s)
		return err
	})
	return found, err
}

// skipped are the folders that the go command does not look into either, and npm's.
func skipped(folder string) bool {
	return folder == "testdata" || folder == "node_modules" || strings.HasPrefix(folder, ".") || strings.HasPrefix(folder, "_")
}

func exists(name string) bool {
	_, err := os.Stat(name)
	return err == nil
}

// faults are everything that is wrong with the sources, each with its remedy.
func faults(sources []source) []string {
	var found []string
	for _, s := range sources {
		found = append(found, imports(s)...)
		found = append(found, packageName(s)...)
		found = append(found, undocumented(s)...)
		found = append(found, tooLong(s)...)
		found = append(found, longFunctions(s)...)
		found = append(found, tooWide(s)...)
		found = append(found, clocks(s)...)
		found = append(found, embedded(s)...)
		found = append(found, ends(s)...)
		found = append(found, cookies(s)...)
		found = append(found, retries(s)...)
	}
	return append(found, withoutPackageComment(sources)...)
}

func TestSourceKeepsToItsLayout(t *testing.T) {
	sources, err := readModule("../..")
	if err != nil {
		t.Fatal(err)
	}
	if len(sources) < 50 {
		t.Fatalf("read %d files; is this the module's root?", len(sources))
	}
	for _, fault := range faults(sources) {
		t.Error(fault)
	}
}

// TestImageHoldsNoDevelopmentProvider asks the go command what the binaries are made of: the
// released one has the demo, the one in the container image has nothing of it.
func TestImageHoldsNoDevelopmentProvider(t *testing.T) {
	if deps := dependencies(t); !slices.Contains(deps, module+"/demo") {
		t.Errorf("the released binary lacks the demo: %q", deps)
	}
	deps := dependencies(t, "-tags", "nodemo")
	if !slices.Contains(deps, module+"/server") {
		t.Fatalf("the image's binary does not even hold the server: %q", deps)
	}
	for _, dep := range deps {
		if developmentOnly(dep) {
			t.Errorf("with -tags nodemo the binary holds %s; put what imports it behind the build tag !nodemo", dep)
		}
	}
}

// dependencies are the packages that the command cloakroom is made of.
func dependencies(t *testing.T, flags ...string) []string {
	t.Helper()
	args := slices.Concat([]string{"list"}, flags, []string{"-deps", module + "/cmd/cloakroom"})
	out, err := exec.CommandContext(t.Context(), "go", args...).Output()
	if err != nil {
		t.Fatalf("go %s: %v", strings.Join(args, " "), err)
	}
	return strings.Fields(string(out))
}

// vague are names that do not say what a package owns.
var vague = []string{
	"util", "utils", "common", "helper", "helpers", "misc", "shared", "base", "lib", "libs", "tools", "types", "models",
	"structs", "constants", "constant", "interfaces", "core", "manager", "managers", "internal",
}

func packageName(s source) []string {
	for _, name := range []string{path.Base(s.folder()), strings.TrimSuffix(s.ast.Name.Name, "_test")} {
		if slices.Contains(vague, name) {
			return []string{fmt.Sprintf("%s: package %s says nothing of what it owns; "+
				"name it after that, or move its functions to where they are used", s.path, name)}
		}
	}
	return nil
}
