package config

import (
	"fmt"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/cloakroom/cloakroom/setting"
)

// value reads the value at a path by its description.
func (r *reader) value(v setting.Value, path string, n *yaml.Node) {
	switch v := v.(type) {
	case setting.Block:
		r.block(v, path, n)
	case setting.List:
		r.list(v, path, n)
	case setting.StringMap:
		r.texts(v, path, n)
	case setting.Scalar:
		r.scalar(v, path, n)
	}
}

func (r *reader) block(b setting.Block, path string, n *yaml.Node) {
	if isNull(n) {
		return // all lines of the block are commented out
	}
	name := path
	if path == "" {
		name = "the file"
	}
	if !r.hasKind(name, n, yaml.MappingNode, "keys below it, such as "+b[0].Name+":") {
		r.hideIf(b.HoldsSecret(), n)
		return
	}
	for i := 0; i+1 < len(n.Content); i += 2 {
		key, value := n.Content[i], n.Content[i+1]
		known := findKey(b, key)
		if known == nil {
			r.unknown(b, path, key, value)
			continue
		}
		if at := setting.Join(path, known.Name); r.isNew(at, key, value) {
			r.value(known.Value, at, value)
		}
	}
}

func findKey(b setting.Block, key *yaml.Node) *setting.Key {
	if key.Kind != yaml.ScalarNode {
		return nil
	}
	for i := range b {
		if b[i].Name == key.Value {
			return &b[i]
		}
	}
	return nil
}

// isNew records the entry of a key. It reports a fault, and returns false, if the key was given
// before.
func (r *reader) isNew(path string, key, value *yaml.Node) bool {
	if !r.Given(path) {
		r.entries[path] = entry{key: key, value: value}
		return true
	}
	r.src.hide(value)
	first := r.entries[path].key
	r.faults = append(r.faults, fault{at(key), setting.Fault{
		What: path + " is given twice", Remedy: fmt.Sprintf("keep one; the first is on line %d", first.Line),
	}})
	return false
}

// unknown reports a key that the schema does not have. It hides the value: the key may be a
// misspelling of one that holds a secret.
func (r *reader) unknown(b setting.Block, path string, key, value *yaml.Node) {
	if key.Kind != yaml.ScalarNode || len(key.Value) > 100 {
		r.src.hide(key)
		r.src.hide(value)
		r.faults = append(r.faults, fault{at(key), setting.Fault{
			What: "this key is not a plain word", Remedy: seeExample,
		}})
		return
	}
	r.src.hide(value)
	f := setting.Fault{What: fmt.Sprintf("unknown key %q", key.Value), Remedy: seeExample}
	if path != "" {
		f.What += " in " + path
	}
	if len(r.faults) < maxFaults { // further faults are only counted
		var meant string
		f.Remedy, meant = suggest(b, path, key.Value)
		r.misspelt[meant] = true
	}
	r.faults = append(r.faults, fault{at(key), f})
}

const seeExample = "compare with cloakroom.example.yaml"

func (r *reader) list(l setting.List, path string, n *yaml.Node) {
	if isNull(n) {
		return
	}
	if !r.hasKind(path, n, yaml.SequenceNode, "a list: "+l.Example) {
		r.hideIf(l.HoldsSecret(), n)
		return
	}
	l.Grow(len(n.Content))
	for i, value := range n.Content {
		at := fmt.Sprintf("%s[%d]", path, i)
		r.entries[at] = entry{value: value}
		r.value(l.Item(i), at, value)
	}
}

const keyLetters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-."

func (r *reader) texts(t setting.StringMap, path string, n *yaml.Node) {
	if isNull(n) || !r.hasKind(path, n, yaml.MappingNode, "keys below it, such as "+t.Example) {
		return
	}
	values := make(map[string]string, len(n.Content)/2)
	for i := 0; i+1 < len(n.Content); i += 2 {
		key, value := n.Content[i], n.Content[i+1]
		plain := key.Kind == yaml.ScalarNode && key.Value != "" && strings.Trim(key.Value, keyLetters) == ""
		if !plain {
			r.unknown(setting.Block{}, path, key, value)
			continue
		}
		at := setting.Join(path, key.Value)
		if !r.isNew(at, key, value) {
			continue
		}
		text, ok := r.text(at, value)
		if f := t.Check(key.Value); f != nil {
			r.Report(at, *f)
		}
		if ok {
			values[key.Value] = text
		}
	}
	*t.Into = values
}

func (r *reader) scalar(s setting.Scalar, path string, n *yaml.Node) {
	r.hideIf(isSecret(s, n), n)
	text, ok := r.text(path, n)
	if !ok {
		return
	}
	if text == "" && !s.Empty {
		r.Report(path, setting.Fault{
			What: "is empty", Remedy: "give it a value, or take the line out for the default",
		})
	} else if f := s.Set(text); f != nil {
		r.Report(path, *f)
	}
}

// isSecret reports whether the value that the file has for s must not be shown.
func isSecret(s setting.Scalar, n *yaml.Node) bool {
	switch {
	case n.Kind == yaml.AliasNode: // it shows only a name
		return false
	case n.Kind != yaml.ScalarNode: // it may hold anything
		return true
	case isNull(n), reference.MatchString(n.Value):
		return false
	}
	return s.Secret || hasUserinfo(n.Value) || s.Hides != nil && s.Hides(n.Value)
}

// hasUserinfo reports whether text may be a URL with a password.
func hasUserinfo(text string) bool {
	return strings.Contains(text, "://") && strings.Contains(text, "@")
}
