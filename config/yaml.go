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

// maxDepth is the greatest depth of nested values; the schema needs five levels.
const maxDepth = 20

// readYAML parses the text as YAML, without the schema. The node is nil if the file is empty, and
// undefined if the source has faults.
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
		s.unparsed = true // the second document is not read
		s.fault(at(&second), "there is a second document in this file",
			"keep one; a line of three dashes begins another")
	case !errors.Is(err, io.EOF):
		s.syntaxFault(err)
	case tooDeep(&first, maxDepth):
		s.unparsed = true
		s.fault(position{1, 1}, fmt.Sprintf("values are nested more than %d levels deep", maxDepth),
			"compare with cloakroom.example.yaml, which needs five")
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

// unreadable returns a source with a fault if the file is not text or is too large, and else nil.
func unreadable(data []byte) *source {
	if len(data) > maxFile {
		s := newSource("")
		what := fmt.Sprintf("the file is larger than %d KiB", maxFile>>10)
		s.fault(position{1, 1}, what, "is this the right file?")
		return s
	}
	i, what := firstInvalidByte(data)
	if i < 0 {
		return nil
	}
	before := newSource(string(data[:i]))
	s := newSource(strings.ToValidUTF8(string(data), "\ufffd"))
	s.unparsed = true
	last := before.lines[len(before.lines)-1]
	s.fault(position{len(before.lines), utf8.RuneCountInString(last) + 1}, what, "save the file as UTF-8 text")
	return s
}

// firstInvalidByte finds the first byte that YAML allows nowhere, because the parser does not say
// where it is. The index is -1 if there is none.
func firstInvalidByte(data []byte) (index int, what string) {
	for i := 0; i < len(data); {
		r, size := utf8.DecodeRune(data[i:])
		switch {
		case r == utf8.RuneError && size == 1:
			return i, "this byte is not UTF-8"
		case !isAllowed(r):
			return i, fmt.Sprintf("there is a control character (U+%04X)", r)
		case r == 0xfeff && i > 0:
			return i, "there is a byte order mark in the middle of the text"
		}
		i += size
	}
	return -1, ""
}

// isAllowed reports whether a character may appear in YAML (YAML 1.2 §5.1).
func isAllowed(r rune) bool {
	switch {
	case r == '\t', r == '\n', r == '\r', r == 0x85:
		return true
	case r < ' ', 0x7f <= r && r < 0xa0, r == 0xfffe, r == 0xffff:
		return false
	}
	return true
}

// yamlError matches the messages of the parser.
var yamlError = regexp.MustCompile(`^yaml: (?:line (\d+): )?(.*)$`)

var unknownAnchor = regexp.MustCompile(`^unknown anchor '(.*)' referenced$`)

// syntaxFault reports where the parser stopped. The parser gives a line, often that where the
// broken construct begins, and no column.
func (s *source) syntaxFault(err error) {
	s.unparsed = true
	line, problem := 1, err.Error()
	if m := yamlError.FindStringSubmatch(problem); m != nil {
		problem = m[2]
		if n, err := strconv.Atoi(m[1]); err == nil {
			line = n
		}
		if strings.HasPrefix(problem, "did not find expected") && m[1] != "" {
			line++ // errors of its parser, unlike those of its scanner, count lines from 0
		}
	}
	line = max(1, min(line, len(s.lines)))
	remedy := "look here and above for a missing quote, colon or bracket, or a wrong indentation"
	if tab := s.tabIndent(line); tab > 0 {
		line, remedy = tab, "indent with spaces; this line begins with a tab"
	}
	if m := unknownAnchor.FindStringSubmatch(problem); m != nil {
		alias := func(l string) bool { return strings.Contains(l, "*"+m[1]) }
		line = 1 + max(0, slices.IndexFunc(s.lines, alias))
		problem = "an alias names no anchor"
		remedy = "write the value out; a value that begins with * needs quotes"
	}
	column := 1 + len(s.lines[line-1]) - len(strings.TrimLeft(s.lines[line-1], " \t"))
	s.fault(position{line, column}, "this is not valid YAML: "+problem, remedy)
}

// tabIndent returns the first line that is indented with a tab, among the given one and its
// neighbours, or 0.
func (s *source) tabIndent(line int) int {
	for l := max(1, line-1); l <= min(line+1, len(s.lines)); l++ {
		text := s.lines[l-1]
		if strings.Contains(text[:len(text)-len(strings.TrimLeft(text, " \t"))], "\t") {
			return l
		}
	}
	return 0
}

// isNull reports whether n is null: a value that is missing, or written as null or ~.
func isNull(n *yaml.Node) bool {
	const quoted = yaml.SingleQuotedStyle | yaml.DoubleQuotedStyle
	return n.Kind == yaml.ScalarNode && n.Tag == "!!null" && n.Style&quoted == 0
}

// hasTag reports whether the file gives n a tag, such as !!binary.
func hasTag(n *yaml.Node) bool { return n.Style&yaml.TaggedStyle != 0 }
