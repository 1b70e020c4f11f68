package layout

import (
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// A comment is what a file says to its readers: a comment of a Go file, or a line of another text.
type comment struct {
	path string // of the file, relative to the module
	text string
}

func goComments(s source) []comment {
	var found []comment
	for _, group := range s.ast.Comments {
		for _, c := range group.List {
			found = append(found, comment{s.path, c.Text})
		}
	}
	return found
}

// readTexts reads the files below root, other than Go's, that speak to readers.
func readTexts(root string) ([]comment, error) {
	var found []comment
	err := filepath.WalkDir(root, func(name string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && name != root && (skipped(d.Name()) && d.Name() != ".github" || d.Name() == "dist" || d.Name() == "bin"):
			return filepath.SkipDir
		case d.IsDir() || !spoken(d.Name()):
			return nil
		}
		text, err := os.ReadFile(name)
		if err != nil {
			return err
		}
		relative, err := filepath.Rel(root, name)
		for line := range strings.Lines(string(text)) {
			found = append(found, comment{filepath.ToSlash(relative), line})
		}
		return err
	})
	return found, err
}

// spoken reports whether a file of this name is written for readers, or has comments for them.
func spoken(name string) bool {
	kinds := []string{".md", ".yaml", ".yml", ".ts", ".tsx", ".js", ".mjs", ".java", ".sql", ".html", ".css", ".conf", ".service"}
	return slices.Contains(kinds, path.Ext(name)) || slices.Contains([]string{"Makefile", "Dockerfile", "Caddyfile"}, name)
}

var (
	// rowID is what names a row of docs/security-rows.md. No algorithm or encoding that comments
	// speak of looks like it.
	rowID = regexp.MustCompile(`\b[A-Z]{2}[0-9]{1,2}\b`)

	// elsewhere is how a comment cites a document that is not in the repository.
	elsewhere = regexp.MustCompile(`(?i)\bcontract('s)?\b|` +
		`\b(design|standards|findings|rooms|brief)(\.md\b|,? §)|` +
		`\bhouse[- ]style\b|\bshared/[a-z-]+\.md\b`)

	// document is a document of the repository as comments name it.
	document = regexp.MustCompile(`\bdocs/[\w/-]+\.md\b`)

	// link is a link of Markdown to a file.
	link = regexp.MustCompile(`\]\(([^)#:]+)(#[^)]*)?\)`)
)

// uncited says which citations of a comment nobody can follow. rows are the ids that there are, and
// there reports whether a file, relative to the module, is in it.
func uncited(c comment, rows map[string]bool, there func(string) bool) []string {
	var found []string
	fault := func(format string, args ...any) {
		found = append(found, c.path+": "+fmt.Sprintf(format, args...))
	}
	for _, id := range rowID.FindAllString(c.text, -1) {
		if !rows[id] {
			fault("cites row %s; docs/security-rows.md has none of that id", id)
		}
	}
	if cited := elsewhere.FindString(c.text); cited != "" {
		fault("cites %q; say what it means, or name a row, an RFC's section or a document that is in the repository", cited)
	}
	var named []string
	if path.Ext(c.path) == ".md" {
		for _, m := range link.FindAllStringSubmatch(c.text, -1) {
			named = append(named, m[1])
		}
	} else {
		named = document.FindAllString(c.text, -1)
	}
	for _, name := range named {
		if !there(path.Clean(name)) && !there(path.Join(path.Dir(c.path), name)) {
			fault("names %s; there is no such file", name)
		}
	}
	return found
}

func TestCitationsCanBeFollowed(t *testing.T) {
	sources, err := readModule("../..")
	if err != nil {
		t.Fatal(err)
	}
	comments, err := readTexts("../..")
	if err != nil {
		t.Fatal(err)
	}
	if len(comments) < 1000 {
		t.Fatalf("read %d lines of text; is this the module's root?", len(comments))
	}
	for _, s := range sources {
		if s.folder() != "test/layout" { // its tests cite what there is not
			comments = append(comments, goComments(s)...)
		}
	}
	ids := map[string]bool{}
	for _, row := range readRows(t) {
		ids[row.id] = true
	}
	there := func(name string) bool { return exists(filepath.Join("../..", name)) }
	for _, c := range comments {
		for _, fault := range uncited(c, ids, there) {
			t.Error(fault)
		}
	}
}

// TestCitationsAreChecked: a check that can't fail checks nothing.
func TestCitationsAreChecked(t *testing.T) {
	there := func(name string) bool { return name == "docs/endpoints.md" }
	for _, c := range []struct{ path, text, want string }{
		{"proxy/x.go", "// what one route guards (PX4)", ""},
		{"proxy/x.go", "// what one route guards (PX44)", "cites row PX44"},
		{"proxy/x.go", "// PX4–ZZ9: one by one", "cites row ZZ9"},
		{"proxy/x.go", "// signed with ES256, hashed with SHA384, in UTF8", ""},
		{"proxy/x.go", "// answered with 401 (contract §4.1)", `cites "contract"`},
		{"proxy/x.go", "// one of the contract's words", `cites "contract's"`},
		{"proxy/x.go", "// it has died (design §3)", `cites "design §"`},
		{"proxy/x.go", "// the design is older (RFC 6749 §5.2)", ""},
		{"proxy/x.go", "// as standards.md has it", `cites "standards.md"`},
		{"proxy/x.go", "// findings are rows", ""},
		{"proxy/x.go", "// as docs/endpoints.md says", ""},
		{"proxy/x.go", "// as docs/missing.md says", "names docs/missing.md"},
		{"proxy/x.go", "// docs/decisions/0001-none.md", "names docs/decisions/0001-none.md"},
		{"docs/x.md", "[endpoints](endpoints.md#errors), [errors](#errors), [RFC](https://example.org/a.md)", ""},
		{"docs/x.md", "[none](missing.md)", "names missing.md"},
		{"docs/x.md", "![picture](missing.svg)", "names missing.svg"},
		{"README.md", "[endpoints](docs/endpoints.md)", ""},
	} {
		found := strings.Join(uncited(comment{c.path, c.text}, map[string]bool{"PX4": true}, there), "\n")
		if c.want == "" && found != "" || !strings.Contains(found, c.want) {
			t.Errorf("%s: %q: faults = %q, want %q in them", c.path, c.text, found, c.want)
		}
	}
}
