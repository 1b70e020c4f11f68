package config

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// A fault is one thing that is wrong with a file.
type fault struct {
	line, column int
	what, remedy string
}

// Faults is everything that is wrong with a file; it is the error that Load and Parse return.
type Faults struct {
	name   string
	lines  []string
	secret map[int]bool // lines whose text must not be shown
	all    []fault
}

func (f *Faults) add(line, column int, what, remedy string) {
	f.all = append(f.all, fault{max(line, 1), max(column, 1), what, remedy})
}

// Error implements error: a paragraph for each fault, in the order of the file.
func (f *Faults) Error() string {
	slices.SortStableFunc(f.all, func(a, b fault) int {
		return cmp.Or(cmp.Compare(a.line, b.line), cmp.Compare(a.column, b.column))
	})
	noun := "fault"
	if len(f.all) > 1 {
		noun = "faults"
	}
	var b strings.Builder
	fmt.Fprintf(&b, "%s has %d %s:\n", f.name, len(f.all), noun)
	for _, x := range f.all {
		fmt.Fprintf(&b, "\n%s:%d:%d: %s\n", f.name, x.line, x.column, x.what)
		if text, ok := f.quote(x.line); ok {
			fmt.Fprintf(&b, "  | %s\n", text)
		}
		if x.remedy != "" {
			fmt.Fprintf(&b, "  = %s\n", x.remedy)
		}
	}
	return strings.TrimRight(b.String(), "\n")
}

// quote is a line as it may be shown: one that holds a secret ends where its value begins (LG6).
func (f *Faults) quote(line int) (string, bool) {
	if line > len(f.lines) {
		return "", false
	}
	text := strings.TrimRight(strings.ToValidUTF8(f.lines[line-1], "?"), " \t\r")
	if f.secret[line] && !onlyReference(text) {
		key, _, found := strings.Cut(text, ":")
		if !found || strings.Contains(strings.TrimLeft(key, " -"), " ") {
			return "***", true
		}
		return key + ": ***", true
	}
	if r := []rune(text); len(r) > 160 {
		text = string(r[:160]) + "…"
	}
	return strings.Map(func(r rune) rune {
		if r < ' ' && r != '\t' || r == 0x7f {
			return '?'
		}
		return r
	}, text), text != ""
}

// onlyReference reports whether a line's value is nothing but a ${…}, which is no secret itself.
func onlyReference(text string) bool {
	_, value, ok := strings.Cut(text, ":")
	value = strings.Trim(strings.TrimSpace(value), `"'[]`)
	return ok && strings.HasPrefix(value, "${") && strings.HasSuffix(value, "}") && strings.Count(value, "${") == 1
}

// closest is the known word that a mistyped one was most likely meant to be, "" when none is near.
func closest(word string, known []string) string {
	best, distance := "", len(word)/2+1
	for _, k := range known {
		if d := editDistance(word, k); d < distance {
			best, distance = k, d
		}
	}
	return best
}

func editDistance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			substitute := diagonal
			if a[i] != b[j] {
				substitute++
			}
			diagonal = row[j+1]
			row[j+1] = min(substitute, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}
