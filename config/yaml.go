package config

import (
	"errors"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"go.yaml.in/yaml/v3"
)

// maxDepth bounds how deep values may lie in one another; the schema needs five levels.
const maxDepth = 20

// readYAML parses the text as far as YAML alone can tell. The node is nil when the file is empty, and
// means nothing when the source has faults.
func readYAML(data []byte) (*source, *yaml.Node) {
	if s := unreadable(data); s != nil {
		return s, nil
	}
	text := strings.TrimPrefix(string(data), "\ufeff")
	s := newSource(text)
	d := yaml.NewDecoder(strings.NewReader(text))
	var first, second yaml.Node
	err := d.Decode(&first)
	if errors.Is(err, io.EOF) {
		return s, nil
	}
	if err == nil {
		err = d.Decode(&second)
	}
	switch {
	case err == nil:
		s.blind = true // nobody looks at what the second document holds
		s.fault(at(&second), "there is a second document in this file", "keep one; a line of three dashes begins another")
	case !errors.Is(err, io.EOF):
		s.syntaxFault(err)
	case tooDeep(&first, maxDepth):
		s.blind = true
		s.fault(position{1, 1}, fmt.Sprintf("values lie in one another more than %d levels deep", maxDepth), "compare with cloakroom.example.yaml, which needs five")
	default:
		root := first.Content[0]
		s.add(root)
		return s, root
	}
	return s, nil
}

func tooDeep(n *yaml.Node, left int) bool {
	if left == 0 {
		return true
	}
	for _, child := range n.Content {
		if tooDeep(child, left-1) {
			return true
		}
	}
	return false
}

// unreadable returns a source with its fault when the file is no text at all.
func unreadable(data []byte) *source {
	if len(data) > maxFile {
		s := newSource("")
		s.fault(position{1, 1}, fmt.Sprintf("the file is larger than %d KiB", maxFile>>10), "is this the right file?")
		return s
	}
	i, what := firstOddByte(data)
	if i < 0 {
		return nil
	}
	before := newSource(string(data[:i]))
	s := newSource(strings.ToValidUTF8(string(data), "\ufffd"))
	s.blind = true
	last := before.lines[len(before.lines)-1]
	s.fault(position{len(before.lines), utf8.RuneCountInString(last) + 1}, what, "save the file as UTF-8 text")
	return s
}

// firstOddByte finds what YAML allows nowhere: its own reader says only that there is such a thing.
func firstOddByte(data []byte) (index int, what string) {
	for i := 0; i < len(data); {
		r, size := utf8.DecodeRune(data[i:])
		switch {
		case r == utf8.RuneError && size == 1:
			return i, "this byte is not UTF-8"
		case r < ' ' && r != '\t' && r != '\n' && r != '\r', r >= 0x7f && r < 0xa0 && r != 0x85, r == 0xfffe, r == 0xffff:
			return i, fmt.Sprintf("there is a control character (U+%04X)", r)
		case r == 0xfeff && i > 0:
			return i, "there is a byte order mark in the middle of the text"
		}
		i += size
	}
	return -1, ""
}

// yamlError matches the parser's own messages.
var yamlError = regexp.MustCompile(`^yaml: (?:line (\d+): )?(.*)$`)

var unknownAnchor = regexp.MustCompile(`^unknown anchor '(.*)' referenced$`)

// syntaxFault tells where the parser stopped. It gives a line, often that where the broken construct
// begins, and no column.
func (s *source) syntaxFault(err error) {
	s.blind = true
	line, problem := 1, err.Error()
	if m := yamlError.FindStringSubmatch(problem); m != nil {
		problem = m[2]
		if n, err := strconv.Atoi(m[1]); err == nil {
			line = n
		}
		if strings.HasPrefix(problem, "did not find expected") && m[1] != "" {
			line++ // the library counts from 0 when its parser, not its scanner, stops (its fail function)
		}
	}
	line = max(1, min(line, len(s.lines)))
	right := "look here and above for a missing quote, colon or bracket, or a wrong indentation"
	if tab := s.tabIndent(line); tab > 0 {
		line, right = tab, "indent with spaces; this line begins with a tab"
	}
	if m := unknownAnchor.FindStringSubmatch(problem); m != nil {
		line = 1 + max(0, slices.IndexFunc(s.lines, func(l string) bool { return strings.Contains(l, "*"+m[1]) }))
		problem, right = "an alias names no anchor", "write the value out; a value that begins with * needs quotes"
	}
	column := 1 + len(s.lines[line-1]) - len(strings.TrimLeft(s.lines[line-1], " \t"))
	s.fault(position{line, column}, "this is no YAML: "+problem, right)
}

// tabIndent returns the first line, at or next to the one given, that is indented with a tab, or 0.
func (s *source) tabIndent(line int) int {
	for l := max(1, line-1); l <= min(line+1, len(s.lines)); l++ {
		text := s.lines[l-1]
		if strings.Contains(text[:len(text)-len(strings.TrimLeft(text, " \t"))], "\t") {
			return l
		}
	}
	return 0
}

// isNull reports whether nothing stands where a value should.
func isNull(n *yaml.Node) bool {
	return n.Kind == yaml.ScalarNode && n.Tag == "!!null" && n.Style&(yaml.SingleQuotedStyle|yaml.DoubleQuotedStyle) == 0
}

// hasTag reports whether the file gives n a tag of its own, such as !!binary.
func hasTag(n *yaml.Node) bool { return n.Style&yaml.TaggedStyle != 0 }
