package config

import (
	"fmt"
	"strings"

	"go.yaml.in/yaml/v3"
)

// A node of the schema reads one value of the file, and knows what may stand below it.
type node interface {
	read(r *reader, path string, n *yaml.Node)
	walk(path string, visit func(path string))
	holdsSecret() bool // itself or anything below it
}

// An entry is one key of a mapping.
type entry struct {
	key  string
	node node
}

// A mapping is a block of known keys.
type mapping []entry

func (m mapping) read(r *reader, path string, n *yaml.Node) {
	if isNull(n) {
		return // a block whose lines are all commented out
	}
	name := path
	if path == "" {
		name = "the file"
	}
	if !r.ordinary(name, n, yaml.MappingNode, "keys below it, such as "+m[0].key+":") {
		r.hideIf(m.holdsSecret(), n)
		return
	}
	for i := 0; i+1 < len(n.Content); i += 2 {
		key, value := n.Content[i], n.Content[i+1]
		known := m.find(key)
		switch {
		case known == nil:
			r.unknown(m, path, key, value)
		case r.given(join(path, known.key)):
			r.twice(join(path, known.key), key, value)
		default:
			where := join(path, known.key)
			r.places[where] = place{key: key, value: value}
			known.node.read(r, where, value)
		}
	}
}

func (m mapping) find(key *yaml.Node) *entry {
	if key.Kind != yaml.ScalarNode {
		return nil
	}
	for i := range m {
		if m[i].key == key.Value {
			return &m[i]
		}
	}
	return nil
}

// unknown reports a key that is not in the schema. Its value is hidden: it may be a misspelt secret.
func (r *reader) unknown(m mapping, path string, key, value *yaml.Node) {
	if key.Kind != yaml.ScalarNode || len(key.Value) > 100 {
		r.src.hide(key)
		r.src.hide(value)
		r.faults = append(r.faults, fault{at(key), "this key is no plain word", "compare with cloakroom.example.yaml"})
		return
	}
	r.src.hide(value)
	w := "unknown key " + fmt.Sprintf("%q", key.Value)
	if path != "" {
		w += " in " + path
	}
	right, meant := "compare with cloakroom.example.yaml", ""
	if len(r.faults) < maxFaults { // those after that are only counted
		right, meant = m.suggest(path, key.Value)
	}
	r.meant[meant] = true
	r.faults = append(r.faults, fault{at(key), w, right})
}

func (r *reader) twice(path string, key, value *yaml.Node) {
	r.src.hide(value)
	first := r.places[path].key
	r.faults = append(r.faults, fault{at(key), fmt.Sprintf("%s stands here for the second time", path), fmt.Sprintf("keep one; the first is on line %d", first.Line)})
}

func (m mapping) walk(path string, visit func(string)) {
	for _, e := range m {
		visit(join(path, e.key))
		e.node.walk(join(path, e.key), visit)
	}
}

func (m mapping) holdsSecret() bool {
	for _, e := range m {
		if e.node.holdsSecret() {
			return true
		}
	}
	return false
}

// A list is any number of items of one kind.
type list struct {
	example string         // of a whole list
	grow    func(n int)    // makes room for n items
	item    func(int) node // the node that reads item i
}

func (l list) read(r *reader, path string, n *yaml.Node) {
	if isNull(n) {
		return
	}
	if !r.ordinary(path, n, yaml.SequenceNode, "a list: "+l.example) {
		r.hideIf(l.holdsSecret(), n)
		return
	}
	l.grow(len(n.Content))
	for i, value := range n.Content {
		where := fmt.Sprintf("%s[%d]", path, i)
		r.places[where] = place{value: value}
		l.item(i).read(r, where, value)
	}
}

func (l list) walk(path string, visit func(string)) {
	l.grow(1)
	l.item(0).walk(path, visit)
}

func (l list) holdsSecret() bool {
	l.grow(1)
	return l.item(0).holdsSecret()
}

// texts is a block of free keys with one text each.
type texts struct {
	into    *map[string]string
	check   func(key string) *wrong
	example string
}

func (t texts) read(r *reader, path string, n *yaml.Node) {
	if isNull(n) || !r.ordinary(path, n, yaml.MappingNode, "keys below it, such as "+t.example) {
		return
	}
	values := make(map[string]string, len(n.Content)/2)
	for i := 0; i+1 < len(n.Content); i += 2 {
		key, value := n.Content[i], n.Content[i+1]
		if key.Kind != yaml.ScalarNode || strings.Trim(key.Value, keyLetters) != "" || key.Value == "" {
			r.unknown(mapping{}, path, key, value)
			continue
		}
		where := join(path, key.Value)
		if r.given(where) {
			r.twice(where, key, value)
			continue
		}
		r.places[where] = place{key: key, value: value}
		text, ok := r.text(where, value)
		if w := t.check(key.Value); w != nil {
			r.wrongAt(where, w)
		}
		if ok {
			values[key.Value] = text
		}
	}
	*t.into = values
}

const keyLetters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-."

func (texts) walk(string, func(string)) {}
func (texts) holdsSecret() bool         { return false }

// A scalar is a single value.
type scalar struct {
	secret bool                      // never shown, unless it is a mere reference
	hides  func(written string) bool // whether this value is a secret; nil means no
	empty  bool                      // may be empty
	parse  func(text string) *wrong
}

func (s scalar) read(r *reader, path string, n *yaml.Node) {
	r.hideIf(s.hidesNode(n), n)
	text, ok := r.text(path, n)
	if !ok {
		return
	}
	if text == "" && !s.empty {
		r.wrongAt(path, &wrong{"is empty", "give it a value, or take the line out for the default"})
	} else if w := s.parse(text); w != nil {
		r.wrongAt(path, w)
	}
}

// userinfo is the part of a URL that can hold a password.
func userinfo(written string) bool {
	return strings.Contains(written, "://") && strings.Contains(written, "@")
}

func (s scalar) hidesNode(n *yaml.Node) bool {
	switch {
	case n.Kind == yaml.AliasNode: // a name
		return false
	case n.Kind != yaml.ScalarNode: // anything
		return true
	case isNull(n), reference.MatchString(n.Value):
		return false
	}
	return s.secret || userinfo(n.Value) || s.hides != nil && s.hides(n.Value)
}

func (scalar) walk(string, func(string)) {}
func (s scalar) holdsSecret() bool       { return s.secret || s.hides != nil }
