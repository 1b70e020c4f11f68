package config

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/cloakroom/cloakroom/setting"
)

// maxFaults is the greatest number of faults that are printed.
const maxFaults = 100

// A fault is one fault with its position. Its text holds no value of the file: the quoted line
// shows the value unless it is a secret.
type fault struct {
	at position
	setting.Fault
}

// Faults is the error that lists every fault of a configuration file.
type Faults struct {
	printed []string
	total   int
}

func newFaults(name string, s *source, faults []fault) *Faults {
	slices.SortStableFunc(faults, func(a, b fault) int {
		return cmp.Or(cmp.Compare(a.at.line, b.at.line), cmp.Compare(a.at.column, b.at.column))
	})
	f := &Faults{total: len(faults)}
	for i, each := range faults {
		if i == maxFaults {
			f.printed = append(f.printed, fmt.Sprintf("and %d more", len(faults)-i))
			break
		}
		f.printed = append(f.printed, each.print(name, s))
	}
	return f
}

// Error returns every fault: file:line:column and what is wrong, the line with its secrets masked,
// and the remedy.
func (f *Faults) Error() string {
	head := "the configuration has a fault"
	if f.total > 1 {
		head = "the configuration has " + strconv.Itoa(f.total) + " faults"
	}
	return head + "\n\n" + strings.Join(f.printed, "\n\n")
}

func (f fault) print(name string, s *source) string {
	line, indent := s.quote(f.at.line).print(f.at.column)
	number := strconv.Itoa(f.at.line)
	margin := strings.Repeat(" ", len(number))
	return fmt.Sprintf("%s:%d:%d: %s\n  %s | %s\n  %s | %s^\n  %s = %s",
		printable(name), f.at.line, f.at.column, f.What, number, line, margin, indent, margin, f.Remedy)
}
