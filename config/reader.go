package config

import (
	"fmt"
	"strings"
	"unicode"

	"go.yaml.in/yaml/v3"

	"github.com/cloakroom/cloakroom/setting"
)

// An entry is a key of the schema and its value in the file.
type entry struct {
	key, value *yaml.Node // key is nil for an item of a list
	bad        bool       // a fault was found in the value
}

// A reader walks the file by the schema and collects values, entries and faults.
type reader struct {
	src      *source
	env      func(string) (string, bool)
	entries  map[string]entry // by path
	misspelt map[string]bool  // paths of which an unknown key is probably a misspelling
	faults   []fault
	warnings []string
}

// read reads the whole file into c and then compares its values. The root is nil for an empty file.
func (r *reader) read(c *Config, root *yaml.Node) {
	if root != nil {
		r.value(schema(c), "", root)
	}
	if root == nil || isNull(root) || root.Kind == yaml.MappingNode {
		c.check(r)
	}
}

// Report implements setting.State. The fault's position is that of the value at the path, or of the
// closest block above it that the file has.
func (r *reader) Report(path string, f setting.Fault) {
	where := position{1, 1}
	for p := path; p != ""; p = parent(p) {
		found, ok := r.entries[p]
		if !ok {
			continue
		}
		where = found.position()
		found.bad = found.bad || p == path
		r.entries[p] = found
		break
	}
	r.faults = append(r.faults, fault{where, setting.Fault{What: path + " " + f.What, Remedy: f.Remedy}})
}

// Warn implements setting.State.
func (r *reader) Warn(text string) { r.warnings = append(r.warnings, text) }

// position is that of the key if the value is a list, a mapping or null, and else that of the
// value.
func (e entry) position() position {
	if e.key != nil && (e.value.Kind != yaml.ScalarNode || isNull(e.value)) {
		return at(e.key)
	}
	return at(e.value)
}

// hideIf hides n and everything below it if secret is true.
func (r *reader) hideIf(secret bool, n *yaml.Node) {
	if secret {
		r.src.hide(n)
	}
}

// Given implements setting.State.
func (r *reader) Given(path string) bool {
	_, ok := r.entries[path]
	return ok
}

// GivenAndValid implements setting.State.
func (r *reader) GivenAndValid(path string) bool {
	p, ok := r.entries[path]
	return ok && !p.bad
}

// parent returns the path of the list or block that holds the value at path.
func parent(path string) string { return path[:max(strings.LastIndexAny(path, ".["), 0)] }

// lastKey returns the key at the end of a path.
func lastKey(path string) string { return path[strings.LastIndex(path, ".")+1:] }

// Misspelt implements setting.State.
func (r *reader) Misspelt(path string) bool { return r.misspelt[path] }

// hasKind reports whether n is of the kind that the schema expects at path. It refuses aliases and
// tags, because with them a value can differ from its text. The form describes what to write
// instead.
func (r *reader) hasKind(path string, n *yaml.Node, kind yaml.Kind, form string) bool {
	var f setting.Fault
	switch {
	case n.Kind == yaml.AliasNode:
		f.What, f.Remedy = "is a YAML alias", "write the value out; a value that begins with * needs quotes"
	case hasTag(n):
		f.What, f.Remedy = "has a YAML tag", "leave the tag out; a value that begins with ! needs quotes"
	case n.Kind != kind:
		f.What, f.Remedy = "is "+kindNames[n.Kind]+", not "+kindNames[kind], "write "+form
	default:
		return true
	}
	r.Report(path, f)
	return false
}

// kindNames is never written to.
var kindNames = map[yaml.Kind]string{
	yaml.ScalarNode:   "a single value",
	yaml.SequenceNode: "a list",
	yaml.MappingNode:  "a block of keys",
	yaml.AliasNode:    "an alias",
}

// text returns a single value with its references expanded. It is false if there is a fault.
func (r *reader) text(path string, n *yaml.Node) (string, bool) {
	if !r.hasKind(path, n, yaml.ScalarNode, lastKey(path)+": and one value behind it") {
		return "", false
	}
	if isNull(n) {
		r.Report(path, setting.Fault{
			What: "has no value", Remedy: "give it one, or take the line out for the default",
		})
		return "", false
	}
	text, f := expand(n.Value, r.env)
	if f == nil {
		f = checkText(text)
	}
	if f != nil {
		r.Report(path, *f)
		return "", false
	}
	return text, true
}

// checkText refuses line breaks and control characters, which could split a header or a log line,
// and blanks at the ends. No value needs them.
func checkText(text string) *setting.Fault {
	if strings.ContainsAny(text, "\r\n") {
		return setting.NewFault("has a line break in its value",
			"write it on one line, or fold it with >-; ${file:…} drops only the last line break of a file")
	}
	for _, c := range text {
		if unicode.IsControl(c) {
			return setting.NewFault(fmt.Sprintf("has a control character (U+%04X) in its value", c), "take it out")
		}
	}
	if text != strings.TrimSpace(text) {
		return setting.NewFault("has a blank at an end of its value", "take it out")
	}
	return nil
}
