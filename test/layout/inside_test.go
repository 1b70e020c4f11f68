package layout

import (
	"fmt"
	"go/ast"
	"maps"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// rowOfPackages is a line of the table of packages in docs/inside.md.
var rowOfPackages = regexp.MustCompile("(?m)^\\| (\\d+) \\| `([a-z/0-9.]+)` \\| (.*) \\|$")

// packagesOf is the table of packages of a text, as rows has it.
func packagesOf(text string) map[string]int {
	found := map[string]int{}
	for _, m := range rowOfPackages.FindAllStringSubmatch(text, -1) {
		if row, err := strconv.Atoi(m[1]); err == nil && m[3] != "" {
			found[m[2]] = row
		}
	}
	return found
}

func TestEveryPackageIsDescribed(t *testing.T) {
	text, err := os.ReadFile("../../docs/inside.md")
	if err != nil {
		t.Fatal(err)
	}
	described := packagesOf(string(text))
	for _, name := range slices.Sorted(maps.Keys(rows)) {
		if row, ok := described[name]; !ok || row != rows[name] {
			t.Errorf("docs/inside.md does not say that %s is in row %d; give it a line in the table of packages", name, rows[name])
		}
		delete(described, name)
	}
	for name := range described {
		t.Errorf("docs/inside.md describes %s, which test/layout has in no row", name)
	}
}

// nameInText is a Go name in backticks, alone or behind a package's.
var nameInText = regexp.MustCompile("`(?:([a-z]+)\\.)?([a-zA-Z]*[A-Z][a-zA-Z]*)`")

// notOurs are names that the guides mention and that are declared elsewhere.
var notOurs = []string{"ReverseProxy", "returnUrl"}

// undeclared are the names in a guide that no source declares: the guide would lead nowhere.
func undeclared(text string, sources []source) []string {
	declared := map[string]bool{}
	for _, s := range sources {
		for _, decl := range s.ast.Decls {
			switch d := decl.(type) {
			case *ast.FuncDecl:
				declared[d.Name.Name] = true
			case *ast.GenDecl:
				for _, name := range namesOf(d) {
					declared[name] = true
				}
			}
		}
	}
	var found []string
	for _, m := range nameInText.FindAllStringSubmatch(text, -1) {
		if !declared[m[2]] && !slices.Contains(notOurs, m[2]) {
			found = append(found, m[2])
		}
	}
	return found
}

// namesOf are the names that a declaration of types, constants or variables declares.
func namesOf(d *ast.GenDecl) []string {
	var found []string
	for _, spec := range d.Specs {
		switch x := spec.(type) {
		case *ast.TypeSpec:
			found = append(found, x.Name.Name)
		case *ast.ValueSpec:
			for _, name := range x.Names {
				found = append(found, name.Name)
			}
		}
	}
	return found
}

func TestGuidesNameWhatThereIs(t *testing.T) {
	sources, err := readModule("../..")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range []string{"CONTRIBUTING.md", "docs/inside.md"} {
		text, err := os.ReadFile("../../" + file)
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range undeclared(string(text), sources) {
			t.Errorf("%s names %s, which is declared nowhere; name what took its place", file, name)
		}
	}
	if found := undeclared("`Settings`, `noSuchName` and `make test`", sources); !slices.Equal(found, []string{"noSuchName"}) {
		t.Errorf("undeclared = %q, want noSuchName: a check that can't fail checks nothing", found)
	}
}

var (
	picture     = regexp.MustCompile("(?s)```mermaid\n(.*?)```")
	participant = regexp.MustCompile(`^participant (\w+) as [^;#]+$`)
	message     = regexp.MustCompile(`^(\w+)(?:->>|-->>)(\w+): [^;#]+$`)
)

// misdrawn says what is wrong with a sequence diagram in Mermaid's language, of which our pictures
// use participants and messages alone.
func misdrawn(text string) []string {
	var found []string
	known := map[string]bool{}
	lines := strings.Split(strings.TrimSpace(text), "\n")
	if lines[0] != "sequenceDiagram" {
		return []string{fmt.Sprintf("a picture begins %q; use sequenceDiagram", lines[0])}
	}
	for _, line := range lines[1:] {
		line = strings.TrimSpace(line)
		if m := participant.FindStringSubmatch(line); m != nil {
			known[m[1]] = true
			continue
		}
		m := message.FindStringSubmatch(line)
		if m == nil {
			found = append(found, fmt.Sprintf("a picture has %q; use participants and messages", line))
			continue
		}
		for _, who := range m[1:] {
			if !known[who] {
				found = append(found, fmt.Sprintf("a picture has %q; %s is no participant", line, who))
			}
		}
	}
	return found
}

func TestPicturesCanBeDrawn(t *testing.T) {
	text, err := os.ReadFile("../../docs/inside.md")
	if err != nil {
		t.Fatal(err)
	}
	pictures := picture.FindAllStringSubmatch(string(text), -1)
	if len(pictures) < 4 {
		t.Errorf("docs/inside.md has %d pictures, want those of a request, a login, a renewal and an end", len(pictures))
	}
	for _, p := range pictures {
		for _, fault := range misdrawn(p[1]) {
			t.Error("docs/inside.md: " + fault)
		}
	}
}

// TestPicturesAreChecked: a check that can't fail checks nothing.
func TestPicturesAreChecked(t *testing.T) {
	const head = "sequenceDiagram\n  participant A as session/login\n  participant B as B\n"
	for _, c := range []struct{ text, want string }{
		{head + "  A->>B: asks, and waits\n  B-->>A: answers\n  A->>A: thinks", ""},
		{"graph TD\n  A-->B", "use sequenceDiagram"},
		{head + "  A->>C: asks", "C is no participant"},
		{head + "  A->B asks", "use participants and messages"},
		{head + "  A->>B: asks; goes on", "use participants and messages"}, // a semicolon ends a statement
	} {
		found := strings.Join(misdrawn(c.text), "\n")
		if c.want == "" && found != "" || !strings.Contains(found, c.want) {
			t.Errorf("%q: faults = %q, want %q in them", c.text, found, c.want)
		}
	}
}
