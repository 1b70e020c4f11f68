package config

import (
	"cmp"
	"regexp"
	"slices"

	"go.yaml.in/yaml/v3"

	"github.com/cloakroom/cloakroom/setting"
)

// A position is a line and a column of the file. Both count from 1, columns in characters.
type position struct{ line, column int }

func at(n *yaml.Node) position { return position{n.Line, n.Column} }

// A span is the text between two positions, the second excluded.
type span struct{ from, to position }

// A source is the text of the file, and which parts of it are hidden.
type source struct {
	lines    []string
	nodes    []*yaml.Node       // in the order of the text
	index    map[*yaml.Node]int // into nodes
	hidden   []span
	unparsed bool          // the text is not valid YAML, so hidden does not cover its secrets
	faults   []fault       // of the text itself, before any key or value is read
	quoted   map[int]quote // by line, each made once
}

// lineBreak matches the line breaks of YAML 1.1, so that lines have the same numbers as in the
// parser.
var lineBreak = regexp.MustCompile("\r\n|[\n\r\u0085\u2028\u2029]")

func newSource(text string) *source {
	return &source{
		lines: lineBreak.Split(text, -1), index: make(map[*yaml.Node]int), quoted: make(map[int]quote),
	}
}

func (s *source) fault(p position, what, remedy string) {
	s.faults = append(s.faults, fault{p, setting.Fault{What: what, Remedy: remedy}})
}

// add appends n and everything below it to nodes.
func (s *source) add(n *yaml.Node) {
	s.index[n] = len(s.nodes)
	s.nodes = append(s.nodes, n)
	for _, child := range n.Content {
		s.add(child)
	}
}

// hide hides n and everything below it, up to the start of the next node: a node does not know its
// end.
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

// hiddenIn returns the hidden parts of a line as half-open ranges of character indices, in order
// and without overlaps. The length is that of the line in characters.
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
