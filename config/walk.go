package config

import (
	"fmt"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/cloakroom/cloakroom/setting"
)

// value reads what stands at a path along its description.
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
		return // a block whose lines are all commented out
	}
	name := path
	if path == "" {
		name = "the file"
	}
	if !r.ordinary(name, n, yaml.MappingNode, "keys below it, such as "+b[0].Name+":") {
		r.hideIf(b.HoldsSecret(), n)
		return
	}
	for i := 0; i+1 < len(n.Content); i += 2 {
		key, value := n.Content[i], n.Content[i+1]
		known := find(b, key)
		if known == nil {
			r.unknown(b, path, key, value)
			continue
		}
		if at := setting.Join(path, known.Name); r.isNew(at, key, value) {
			r.value(known.Value, at, value)
		}
	}
}

func find(b setting.Block, key *yaml.Node) *setting.Key {
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

// isNew notes where a key stands. One that stands there for the second time is a fault.
func (r *reader) isNew(path string, key, value *yaml.Node) bool {
	if !r.Given(path) {
		r.places[path] = place{key: key, value: value}
		return true
	}
	r.src.hide(value)
	first := r.places[path].key
	r.faults = append(r.faults, fault{at(key), setting.Fault{
		What: path + " stands here for the second time", Remedy: fmt.Sprintf("keep one; the first is on line %d", first.Line),
	}})
	return false
}

// unknown reports a key that has no description. Its value is hidden: it may be a misspelt secret.
func (r *reader) unknown(b setting.Block, path string, key, value *yaml.Node) {
	if key.Kind != yaml.ScalarNode || len(key.Value) > 100 {
		r.src.hide(key)
		r.src.hide(value)
		r.faults = append(r.faults, fault{at(key), setting.Fault{What: "this key is no plain word", Remedy: "compare with cloakroom.example.yaml"}})
		return
	}
	r.src.hide(value)
	f := setting.Fault{What: fmt.Sprintf("unknown key %q", key.Value), Remedy: "compare with cloakroom.example.yaml"}
	if path != "" {
		f.What += " in " + path
	}
	if len(r.faults) < maxFaults { // those after that are only counted
		var meant string
		f.Remedy, meant = suggest(b, path, key.Value)
		r.meant[meant] = true
	}
	r.faults = append(r.faults, fault{at(key), f})
}

func (r *reader) list(l setting.List, path string, n *yaml.Node) {
	if isNull(n) {
		return
	}
	if !r.ordinary(path, n, yaml.SequenceNode, "a list: "+l.Example) {
		r.hideIf(l.HoldsSecret(), n)
		return
	}
	l.Grow(len(n.Content))
	for i, value := range n.Content {
		at := fmt.Sprintf("%s[%d]", path, i)
		r.places[at] = place{value: value}
		r.value(l.Item(i), at, value)
	}
}

const keyLetters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-."

func (r *reader) texts(t setting.StringMap, path string, n *yaml.Node) {
	if isNull(n) || !r.ordinary(path, n, yaml.MappingNode, "keys below it, such as "+t.Example) {
		return
	}
	values := make(map[string]string, len(n.Content)/2)
	for i := 0; i+1 < len(n.Content); i += 2 {
		key, value := n.Content[i], n.Content[i+1]
		if key.Kind != yaml.ScalarNode || strings.Trim(key.Value, keyLetters) != "" || key.Value == "" {
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
	r.hideIf(hides(s, n), n)
	text, ok := r.text(path, n)
	if !ok {
		return
	}
	if text == "" && !s.Empty {
		r.Report(path, setting.Fault{What: "is empty", Remedy: "give it a value, or take the line out for the default"})
	} else if f := s.Set(text); f != nil {
		r.Report(path, *f)
	}
}

// hides reports whether what stands in the file for s must not be shown.
func hides(s setting.Scalar, n *yaml.Node) bool {
	switch {
	case n.Kind == yaml.AliasNode: // a name
		return false
	case n.Kind != yaml.ScalarNode: // anything
		return true
	case isNull(n), reference.MatchString(n.Value):
		return false
	}
	return s.Secret || hasUserinfo(n.Value) || s.Hides != nil && s.Hides(n.Value)
}

// hasUserinfo reports whether a text may be a URL with a password.
func hasUserinfo(text string) bool {
	return strings.Contains(text, "://") && strings.Contains(text, "@")
}
