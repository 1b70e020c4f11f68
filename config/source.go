package config

import (
	"cmp"
	"regexp"
	"slices"

	"go.yaml.in/yaml/v3"

	"github.com/cloakroom/cloakroom/setting"
)

// A position is a line and a column of the file, both from 1, columns in characters.
type position struct{ line, column int }

func at(n *yaml.Node) position { return position{n.Line, n.Column} }

// A span is what lies between two positions, the second excluded.
type span struct{ from, to position }

// A source is the text of the file, with what may be shown of it.
type source struct {
	lines  []string
	nodes  []*yaml.Node       // in the order of the text
	index  map[*yaml.Node]int // into nodes
	hidden []span
	blind  bool    // the text was not walked, so that no span tells where its secrets are
	faults []fault // of the text, before its keys and values are looked at
	quoted map[int]quote
}

// lineBreak is what YAML 1.1 counts as one; the lines must be numbered as its parser numbers them.
var lineBreak = regexp.MustCompile("\r\n|[\n\r\u0085\u2028\u2029]")

func newSource(text string) *source {
	return &source{lines: lineBreak.Split(text, -1), index: make(map[*yaml.Node]int), quoted: make(map[int]quote)}
}

func (s *source) fault(p position, what, remedy string) {
	s.faults = append(s.faults, fault{p, setting.Fault{What: what, Remedy: remedy}})
}

// add puts n and everything below it into the order of the text.
func (s *source) add(n *yaml.Node) {
	s.index[n] = len(s.nodes)
	s.nodes = append(s.nodes, n)
	for _, child := range n.Content {
		s.add(child)
	}
}

// hide keeps n and everything below it from being shown, up to where the next node begins: a node
// does not say where it ends.
func (s *source) hide(n *yaml.Node) {
	last := n
	for len(last.Content) > 0 {
		last = last.Content[len(last.Content)-1]
	}
	end := position{len(s.lines) + 1, 1}
	if next := s.index[last] + 1; next < len(s.nodes) {
		end = at(s.nodes[next])
	}
	s.hidden = append(s.hidden, span{at(n), end})
}

// hiddenIn returns the stretches of a line of so many characters that are hidden: indices from 0, in
// order, none overlapping another.
func (s *source) hiddenIn(number, length int) [][2]int {
	var found [][2]int
	for _, h := range s.hidden {
		if number < h.from.line || number > h.to.line {
			continue
		}
		from, to := 0, length
		if number == h.from.line {
			from = h.from.column - 1
		}
		if number == h.to.line {
			to = min(to, h.to.column-1)
		}
		if from < to {
			found = append(found, [2]int{from, to})
		}
	}
	slices.SortFunc(found, func(a, b [2]int) int { return cmp.Compare(a[0], b[0]) })
	merged := found[:0]
	for _, f := range found {
		if n := len(merged); n > 0 && f[0] <= merged[n-1][1] {
			merged[n-1][1] = max(merged[n-1][1], f[1])
			continue
		}
		merged = append(merged, f)
	}
	return merged
}
