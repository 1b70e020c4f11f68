package config

import (
	"fmt"
	"strings"
	"unicode"

	"go.yaml.in/yaml/v3"

	"github.com/cloakroom/cloakroom/setting"
)

// A place is where a key of the schema stands in the file.
type place struct {
	key, value *yaml.Node // key is nil for an item of a list
	bad        bool       // a fault was found in the value
}

// A reader walks the file along the schema and collects values, places and faults.
type reader struct {
	src      *source
	env      func(string) (string, bool)
	places   map[string]place // by path
	meant    map[string]bool  // paths that an unknown key is probably a misspelling of
	faults   []fault
	warnings []string
}

// read reads the whole file, of which nothing may be left (nil), and then compares its values.
func (r *reader) read(c *Config, root *yaml.Node) {
	if root != nil {
		r.value(schema(c), "", root)
	}
	if root == nil || isNull(root) || root.Kind == yaml.MappingNode {
		r.check(c)
	}
}

// Report reports a fault in the value at a path or, where nothing is given there, at what it would
// be part of.
//
// It implements setting.State.
func (r *reader) Report(path string, f setting.Fault) {
	where := position{1, 1}
	for p := path; p != ""; p = parent(p) {
		found, ok := r.places[p]
		if !ok {
			continue
		}
		where = found.position()
		found.bad = found.bad || p == path
		r.places[p] = found
		break
	}
	r.faults = append(r.faults, fault{where, setting.Fault{What: path + " " + f.What, Remedy: f.Remedy}})
}

// Warn implements setting.State.
func (r *reader) Warn(text string) { r.warnings = append(r.warnings, text) }

// position is the value's, or the key's where the value is a list or a mapping on lines of its own.
func (p place) position() position {
	if p.key != nil && (p.value.Kind != yaml.ScalarNode || isNull(p.value)) {
		return at(p.key)
	}
	return at(p.value)
}

// hideIf keeps n and what is below it from being shown.
func (r *reader) hideIf(secret bool, n *yaml.Node) {
	if secret {
		r.src.hide(n)
	}
}

// Given reports whether the file has something at a path.
func (r *reader) Given(path string) bool {
	_, ok := r.places[path]
	return ok
}

// GivenAndValid reports whether the file has something at a path, and it read without a fault.
func (r *reader) GivenAndValid(path string) bool {
	p, ok := r.places[path]
	return ok && !p.bad
}

// parent is the path of what holds the value at a path: of the list for an item, else of the mapping.
func parent(path string) string { return path[:max(strings.LastIndexAny(path, ".["), 0)] }

// lastKey is the key at the end of a path.
func lastKey(path string) string { return path[strings.LastIndex(path, ".")+1:] }

// Misspelt reports whether an unknown key is probably a misspelling of the one at a path.
func (r *reader) Misspelt(path string) bool { return r.meant[path] }

// ordinary reports whether n is what the schema expects at path, without the features of YAML that
// this file does without: an alias or a tag could make a value something else than it reads.
func (r *reader) ordinary(path string, n *yaml.Node, kind yaml.Kind, form string) bool {
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
	yaml.ScalarNode: "a single value", yaml.SequenceNode: "a list", yaml.MappingNode: "a block of keys", yaml.AliasNode: "an alias",
}

// text reads one single value, its references replaced.
func (r *reader) text(path string, n *yaml.Node) (string, bool) {
	if !r.ordinary(path, n, yaml.ScalarNode, lastKey(path)+": and one value behind it") {
		return "", false
	}
	if isNull(n) {
		r.Report(path, setting.Fault{What: "has no value", Remedy: "give it one, or take the line out for the default"})
		return "", false
	}
	text, f := expand(n.Value, r.env)
	if f == nil {
		f = oddText(text)
	}
	if f != nil {
		r.Report(path, *f)
		return "", false
	}
	return text, true
}

// oddText refuses what no value of this file needs and what splits headers and lines where it goes.
func oddText(text string) *setting.Fault {
	if strings.ContainsAny(text, "\r\n") {
		return setting.NewFault("has a line break in its value", "write it on one line, or fold it with >-; of a file, ${file:…} drops the last line break alone")
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
