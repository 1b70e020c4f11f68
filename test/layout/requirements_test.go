package layout

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"testing"
)

// A requirement is a module that go.mod requires directly, with the comment beside it.
type requirement struct{ path, reason string }

// requirements reads the direct requirements of a go.mod.
func requirements(text string) []requirement {
	var found []requirement
	block := false
	for line := range strings.Lines(text) {
		code, comment, _ := strings.Cut(strings.TrimSpace(line), "//")
		fields, comment := strings.Fields(code), strings.TrimSpace(comment)
		single := len(fields) == 3 && fields[0] == "require"
		switch {
		case code == "require (":
			block = true
		case code == ")":
			block = false
		case (single || block && len(fields) == 2) && comment != "indirect":
			found = append(found, requirement{fields[len(fields)-2], comment})
		}
	}
	return found
}

// What a reason begins with when the running service does not import the module.
const (
	forDemo  = "demo: "
	forTests = "tests: "
)

// beginning is what the reason must begin with, after who imports the module.
func beginning(modulePath string, sources []source) string {
	found := forTests
	for _, s := range sources {
		switch {
		case s.test() || within(s.folder(), "test") || !s.imports(modulePath):
		case within(s.folder(), "demo") || s.folder() == "cmd/sampleapi":
			found = forDemo
		default:
			return ""
		}
	}
	return found
}

// imports reports whether the file imports a package of the module.
func (s source) imports(modulePath string) bool {
	for _, spec := range s.ast.Imports {
		if imported, err := strconv.Unquote(spec.Path.Value); err == nil && within(imported, modulePath) {
			return true
		}
	}
	return false
}

// unreasoned says what is wrong with the reasons beside the direct requirements.
func unreasoned(goMod string, sources []source) []string {
	var found []string
	for _, m := range requirements(goMod) {
		begins := ""
		for _, b := range []string{forDemo, forTests} {
			if strings.HasPrefix(m.reason+" ", b) {
				begins = b
			}
		}
		switch want := beginning(m.path, sources); {
		case len(m.reason) <= len(begins):
			found = append(found, fmt.Sprintf("go.mod: %s has no reason; "+
				"say in a comment behind its version what it is for", m.path))
		case begins != want && want == "":
			found = append(found, fmt.Sprintf("go.mod: the reason of %s begins %q; "+
				"leave that out, the running service imports it", m.path, begins))
		case begins != want:
			found = append(found, fmt.Sprintf("go.mod: the reason of %s does not begin %q; "+
				"let it, the running service does not import it", m.path, want))
		}
	}
	return found
}

func TestEachRequirementHasItsReason(t *testing.T) {
	goMod, err := os.ReadFile("../../go.mod")
	if err != nil {
		t.Fatal(err)
	}
	sources, err := readModule("../..")
	if err != nil {
		t.Fatal(err)
	}
	if n := len(requirements(string(goMod))); n < 10 {
		t.Fatalf("read %d direct requirements; is go.mod written as this test reads it?", n)
	}
	for _, fault := range unreasoned(string(goMod), sources) {
		t.Error(fault)
	}
}

// TestReasonsAreChecked: a check that can't fail checks nothing.
func TestReasonsAreChecked(t *testing.T) {
	const comment = "// Package x owns this.\npackage x\nimport _ \"example.org/m/v2/part\""
	for _, c := range []struct{ name, line, importer, want string }{
		{"a reason", "require example.org/m/v2 v2.0.0 // reads what is written", "proxy/x.go", ""},
		{"a reason in a block", "require (\n\texample.org/m/v2 v2.0.0 // reads what is written\n)", "proxy/x.go", ""},
		{"none", "require example.org/m/v2 v2.0.0", "proxy/x.go", "has no reason"},
		{"none in a block", "require (\n\texample.org/m/v2 v2.0.0\n)", "proxy/x.go", "has no reason"},
		{"nothing but a prefix", "require example.org/m/v2 v2.0.0 // tests: ", "proxy/x_test.go", "has no reason"},
		{"an indirect one", "require example.org/m/v2 v2.0.0 // indirect", "proxy/x.go", ""},
		{"for tests", "require example.org/m/v2 v2.0.0 // tests: reads what is written", "proxy/x_test.go", ""},
		{"for what helps tests", "require example.org/m/v2 v2.0.0 // tests: reads what is written", "test/faults/x.go", ""},
		{"for the demo", "require example.org/m/v2 v2.0.0 // demo: reads what is written", "demo/cluster/x.go", ""},
		{"no longer for tests alone", "require example.org/m/v2 v2.0.0 // tests: reads what is written", "proxy/x.go", "leave that out"},
		{"for tests alone", "require example.org/m/v2 v2.0.0 // reads what is written", "proxy/x_test.go", `does not begin "tests: "`},
		{"for the demo alone", "require example.org/m/v2 v2.0.0 // reads what is written", "cmd/sampleapi/x.go", `does not begin "demo: "`},
	} {
		t.Run(c.name, func(t *testing.T) {
			s, err := parse(c.importer, comment)
			if err != nil {
				t.Fatal(err)
			}
			found := strings.Join(unreasoned("module x\n\ngo 1.26\n\n"+c.line+"\n", []source{s}), "\n")
			if c.want == "" && found != "" || !strings.Contains(found, c.want) {
				t.Errorf("faults = %q, want %q in them", found, c.want)
			}
		})
	}
}
