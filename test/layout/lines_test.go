package layout

import (
	"fmt"
	"strings"
	"unicode/utf8"
)

const (
	widest   = 140 // columns of a line; write it with at most 100
	tabWidth = 4
)

// tooWide finds lines that end beyond the widest column.
func tooWide(s source) []string {
	var found []string
	for i, line := range strings.Split(s.text, "\n") {
		if n := columns(line); n > widest {
			found = append(found, fmt.Sprintf(
				"%s: line %d has %d columns; split it, or name a part of it (write 100, at most %d)",
				s.path, i+1, n, widest,
			))
		}
	}
	return found
}

// columns is the width of a line. Go source has tabs only at the beginning of a line and before a
// comment, so each counts as a whole.
func columns(line string) int {
	return utf8.RuneCountInString(line) + strings.Count(line, "\t")*(tabWidth-1)
}
