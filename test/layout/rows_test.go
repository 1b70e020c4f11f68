package layout

import (
	"fmt"
	"go/ast"
	"os"
	"path"
	"regexp"
	"strings"
	"testing"
)

// A row is one of docs/security-rows.md: a rule and what shows it.
type row struct{ id, level, requirement, shown string }

// rowsOf reads the rows of the document's table.
func rowsOf(text string) []row {
	var found []row
	for line := range strings.Lines(text) {
		cells := strings.Split(strings.TrimSpace(line), " | ")
		if id, ok := strings.CutPrefix(cells[0], "| "); ok && len(cells) == 4 && id != "row" {
			found = append(found, row{id, cells[1], cells[2], strings.TrimSuffix(cells[3], " |")})
		}
	}
	return found
}

func readRows(t *testing.T) []row {
	t.Helper()
	text, err := os.ReadFile("../../docs/security-rows.md")
	if err != nil {
		t.Fatal(err)
	}
	found := rowsOf(string(text))
	if lines := strings.Count(string(text), "\n| "); len(found) < 200 || len(found) != lines-1 {
		t.Fatalf("read %d rows in %d lines; has every line four cells?", len(found), lines)
	}
	return found
}

var (
	placeOfTests = regexp.MustCompile("^`([a-z/]+)`(: (.*))?$")
	nameOfTest   = regexp.MustCompile(`^(Test|Fuzz|Benchmark)\w+$`)
)

// unshown says what is wrong with a row. tests are the tests, fuzz tests and benchmarks of each
// folder, and there reports whether a file, relative to the module, is in it.
func unshown(r row, tests map[string]map[string]bool, there func(string) bool) []string {
	var found []string
	fault := func(format string, args ...any) {
		found = append(found, "docs/security-rows.md: row "+r.id+" "+fmt.Sprintf(format, args...))
	}
	if !strings.Contains("MSP", r.level) || len(r.level) != 1 {
		fault("has the level %q; use M, S or P", r.level)
	}
	if strings.HasSuffix(r.requirement, "…") || r.requirement == "" {
		fault("is cut off; write the whole requirement")
	}
	if why, ok := strings.CutPrefix(r.shown, "—"); ok {
		if strings.TrimSpace(why) == "" {
			fault("says neither a test nor why there is none")
		}
		return found
	}
	for part := range strings.SplitSeq(r.shown, "; ") {
		m := placeOfTests.FindStringSubmatch(part)
		if m == nil {
			fault("has %q; write `folder`: TestThis, TestThat", part)
			continue
		}
		folder := m[1]
		if !there(folder) {
			fault("names the folder %s; there is none", folder)
			continue
		}
		if m[3] == "" { // the whole folder shows it
			continue
		}
		for name := range strings.SplitSeq(m[3], ", ") {
			switch {
			case nameOfTest.MatchString(name) && !tests[folder][name]:
				fault("names %s; there is no such test in %s", name, folder)
			case strings.HasSuffix(name, ".mjs") && !there(path.Join(folder, name)):
				fault("names %s; there is no such file in %s", name, folder)
			case !nameOfTest.MatchString(name) && !strings.HasSuffix(name, ".mjs"):
				fault("names %q, which is neither a test nor a file of tests", name)
			}
		}
	}
	return found
}

// testsOf are the names of the tests, fuzz tests and benchmarks of each folder.
func testsOf(sources []source) map[string]map[string]bool {
	found := map[string]map[string]bool{}
	for _, s := range sources {
		if !s.test() {
			continue
		}
		if found[s.folder()] == nil {
			found[s.folder()] = map[string]bool{}
		}
		for _, decl := range s.ast.Decls {
			if f, ok := decl.(*ast.FuncDecl); ok && f.Recv == nil && f.Name.Name != "TestMain" && nameOfTest.MatchString(f.Name.Name) {
				found[s.folder()][f.Name.Name] = true
			}
		}
	}
	return found
}

func TestEachRowIsShown(t *testing.T) {
	sources, err := readModule("../..")
	if err != nil {
		t.Fatal(err)
	}
	tests := testsOf(sources)
	there := func(name string) bool { return exists(path.Join("../..", name)) }
	for _, r := range readRows(t) {
		for _, fault := range unshown(r, tests, there) {
			t.Error(fault)
		}
	}
}

// TestRowsAreChecked: a check that can't fail checks nothing.
func TestRowsAreChecked(t *testing.T) {
	tests := map[string]map[string]bool{"proxy": {"TestA": true, "FuzzB": true}}
	there := func(name string) bool { return name == "proxy" || name == "proxy/a.test.mjs" }
	for _, c := range []struct{ line, want string }{
		{"| AA1 | M | all of it | `proxy`: TestA, FuzzB |", ""},
		{"| AA1 | M | all of it | `proxy`: TestA; `proxy`: a.test.mjs |", ""},
		{"| AA1 | M | all of it | `proxy` |", ""},
		{"| — | M | all of it | — there is no code that would |", ""},
		{"| AA1 | X | all of it | `proxy` |", `has the level "X"`},
		{"| AA1 | M | all of … | `proxy` |", "is cut off"},
		{"| AA1 | M | all of it | — |", "says neither a test nor why"},
		{"| AA1 | M | all of it | TestA |", "write `folder`: TestThis"},
		{"| AA1 | M | all of it | `prox`: TestA |", "names the folder prox"},
		{"| AA1 | M | all of it | `proxy`: TestC |", "names TestC"},
		{"| AA1 | M | all of it | `proxy`: b.test.mjs |", "names b.test.mjs"},
		{"| AA1 | M | all of it | `proxy`: Firefox |", `names "Firefox"`},
	} {
		read := rowsOf("| row | level | requirement | shown by |\n|---|---|---|---|\n" + c.line + "\n")
		if len(read) != 1 {
			t.Errorf("%s: read %d rows, want 1", c.line, len(read))
			continue
		}
		found := strings.Join(unshown(read[0], tests, there), "\n")
		if c.want == "" && found != "" || !strings.Contains(found, c.want) {
			t.Errorf("%s: faults = %q, want %q in them", c.line, found, c.want)
		}
	}
}
