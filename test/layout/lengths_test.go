package layout

import (
	"fmt"
	"go/ast"
	"strings"
)

// The most lines that a file, and a function, may have. Tests may have more.
const (
	longestFile     = 300
	longestFunction = 60
)

func tooLong(s source) []string {
	lines := strings.Count(s.text, "\n")
	if s.test() || lines <= longestFile {
		return nil
	}
	return []string{fmt.Sprintf(
		"%s: %d lines; split it where one part does not need the other (at most %d)", s.path, lines, longestFile,
	)}
}

// longFunctions finds functions that hide a type or a table. A suite of tests is none of them: its
// functions are tables of tests.
func longFunctions(s source) []string {
	if s.test() || within(s.folder(), "test") || s.folder() == "session/store/storetest" {
		return nil
	}
	var found []string
	for _, d := range s.ast.Decls {
		f, ok := d.(*ast.FuncDecl)
		if !ok {
			continue
		}
		first, last := int(f.Pos()-s.ast.FileStart), int(f.End()-s.ast.FileStart)
		if lines := strings.Count(s.text[first:last], "\n") + 1; lines > longestFunction {
			found = append(found, fmt.Sprintf(
				"%s: %s has %d lines; look for the type or the table in it (at most %d)",
				s.path, f.Name.Name, lines, longestFunction,
			))
		}
	}
	return found
}
