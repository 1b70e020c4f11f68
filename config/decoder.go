package config

import (
	"fmt"
	"maps"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/dustin/go-humanize"
	"go.yaml.in/yaml/v3"

	"github.com/cloakroom/cloakroom/secret"
)

// A decoder walks the YAML tree along the schema. It goes on after a fault.
type decoder struct {
	faults *Faults
	env    func(string) (string, bool)
	config *Config
	at     map[string]*yaml.Node // where a value stands, by its full key, for the checks that come later
	known  []string              // every key of the schema that was offered, by full name
}

// fields are what a mapping may hold: how to read each key's value.
type fields map[string]func(key string, n *yaml.Node)

// object reads a mapping. An unknown key and one that stands there twice are faults.
func (d *decoder) object(path string, n *yaml.Node, fs fields) {
	for key := range fs {
		d.known = append(d.known, strings.TrimPrefix(path+"."+key, "."))
	}
	if n.Kind == yaml.ScalarNode && n.Tag == "!!null" {
		return // `key:` with nothing after it: all defaults
	}
	if n.Kind != yaml.MappingNode {
		d.fault(n, fmt.Sprintf("%s must be a mapping of keys to values", orFile(path)), "write its keys on lines of their own, indented by two spaces")
		return
	}
	seen := map[string]bool{}
	for i := 0; i+1 < len(n.Content); i += 2 {
		k, v := n.Content[i], n.Content[i+1]
		full := strings.TrimPrefix(path+"."+k.Value, ".")
		read, ok := fs[k.Value]
		switch {
		case k.Kind == yaml.AliasNode || v.Kind == yaml.AliasNode || k.Value == "<<":
			d.fault(k, "anchors and aliases are not read here", "write the value out")
		case !ok:
			d.unknown(k, path, slices.Sorted(maps.Keys(fs)))
		case seen[k.Value]:
			d.fault(k, fmt.Sprintf("%s stands here a second time", full), "keep one of the two")
		default:
			d.at[full] = v
			read(full, v)
		}
		seen[k.Value] = true
	}
}

func (d *decoder) unknown(k *yaml.Node, path string, known []string) {
	remedy := "known here: " + strings.Join(known, ", ")
	if near := closest(k.Value, known); near != "" {
		remedy = fmt.Sprintf("did you mean %s?", near)
	}
	d.fault(k, fmt.Sprintf("unknown key %q in %s", k.Value, orFile(path)), remedy)
}

func orFile(path string) string {
	if path == "" {
		return "the file"
	}
	return path
}

func (d *decoder) fault(n *yaml.Node, what, remedy string) {
	d.faults.add(n.Line, n.Column, what, remedy)
}

// text returns a scalar with its ${…} filled in; false after a fault.
func (d *decoder) text(key string, n *yaml.Node) (string, bool) {
	if n.Kind != yaml.ScalarNode {
		d.fault(n, key+" must be one value", "write it on the same line: "+lastKey(key)+": value")
		return "", false
	}
	if n.Tag == "!!null" {
		d.fault(n, key+" has no value", "give one, or take the line out for the default")
		return "", false
	}
	return d.expand(key, n)
}

// expand fills in ${NAME} and ${file:PATH}; $${ is a literal ${. What is filled in is never shown.
func (d *decoder) expand(key string, n *yaml.Node) (string, bool) {
	var b strings.Builder
	rest := n.Value
	for {
		before, after, found := strings.Cut(rest, "${")
		if !found {
			b.WriteString(rest)
			return b.String(), true
		}
		if before0, ok := strings.CutSuffix(before, "$"); ok {
			b.WriteString(before0 + "${")
			rest = after
			continue
		}
		b.WriteString(before)
		name, tail, closed := strings.Cut(after, "}")
		if !closed {
			d.fault(n, key+": ${ without its }", "write ${NAME} or ${file:PATH}; a literal ${ is $${")
			return "", false
		}
		value, ok := d.lookUp(key, n, name)
		if !ok {
			return "", false
		}
		b.WriteString(value)
		rest = tail
	}
}

func (d *decoder) lookUp(key string, n *yaml.Node, name string) (string, bool) {
	if path, isFile := strings.CutPrefix(name, "file:"); isFile {
		content, err := os.ReadFile(path)
		if err != nil {
			d.fault(n, fmt.Sprintf("%s: can't read the file that ${file:…} names: %v", key, err), "mount the secret there, readable by this process")
			return "", false
		}
		return strings.TrimSuffix(strings.TrimSuffix(string(content), "\n"), "\r"), true
	}
	value, ok := d.env(name)
	if !ok {
		d.fault(n, fmt.Sprintf("%s: the environment has no %s", key, name), "set it before the start: export "+name+"=…")
		return "", false
	}
	return value, true
}

func lastKey(key string) string { return key[strings.LastIndexByte(key, '.')+1:] }

// The readers below make a field's reader for each kind of value.

func (d *decoder) str(into *string) func(string, *yaml.Node) {
	return func(key string, n *yaml.Node) {
		if s, ok := d.text(key, n); ok {
			*into = s
		}
	}
}

func (d *decoder) secret(into *secret.Value) func(string, *yaml.Node) {
	return func(key string, n *yaml.Node) {
		d.hide(n)
		if s, ok := d.text(key, n); ok {
			if s == "" {
				d.fault(n, key+" is empty", "is the variable or file that it names empty?")
			}
			*into = secret.New(s)
		}
	}
}

// hide keeps the lines of a value from being quoted.
func (d *decoder) hide(n *yaml.Node) {
	for line := n.Line; line <= n.Line+strings.Count(n.Value, "\n"); line++ {
		d.faults.secret[line] = true
	}
	for _, c := range n.Content {
		d.hide(c)
	}
}

func (d *decoder) boolean(into *bool) func(string, *yaml.Node) {
	return func(key string, n *yaml.Node) {
		s, ok := d.text(key, n)
		if !ok {
			return
		}
		v, err := strconv.ParseBool(s)
		if err != nil || len(s) == 1 {
			d.fault(n, key+" must be true or false", "")
			return
		}
		*into = v
	}
}

func (d *decoder) duration(into *time.Duration) func(string, *yaml.Node) {
	return func(key string, n *yaml.Node) {
		s, ok := d.text(key, n)
		if !ok {
			return
		}
		v, err := time.ParseDuration(s)
		if err != nil || v < 0 {
			d.fault(n, key+" must be a duration", "a number with its unit, such as 500ms, 30s, 5m or 12h")
			return
		}
		*into = v
	}
}

func (d *decoder) size(into *int64) func(string, *yaml.Node) {
	return func(key string, n *yaml.Node) {
		s, ok := d.text(key, n)
		if !ok {
			return
		}
		v, err := humanize.ParseBytes(s)
		if err != nil || v > 1<<50 {
			d.fault(n, key+" must be a size", "bytes, or a number with its unit, such as 64KiB or 10MiB; 0 is unlimited")
			return
		}
		*into = int64(v)
	}
}

func (d *decoder) list(into *[]string) func(string, *yaml.Node) {
	return func(key string, n *yaml.Node) {
		out := []string{}
		d.each(key, n, func(key string, item *yaml.Node) {
			if s, ok := d.text(key, item); ok {
				out = append(out, s)
			}
		})
		*into = out
	}
}

// each reads a sequence, item by item.
func (d *decoder) each(key string, n *yaml.Node, read func(string, *yaml.Node)) {
	if n.Kind != yaml.SequenceNode {
		d.fault(n, key+" must be a list", "write "+lastKey(key)+": [one, two], or each item on a line of its own after a dash")
		return
	}
	for i, item := range n.Content {
		full := key + "[" + strconv.Itoa(i) + "]"
		if item.Kind == yaml.AliasNode {
			d.fault(item, "anchors and aliases are not read here", "write the value out")
			continue
		}
		d.at[full] = item
		read(full, item)
	}
}

func (d *decoder) mapping(into *map[string]string) func(string, *yaml.Node) {
	return func(key string, n *yaml.Node) {
		if n.Kind != yaml.MappingNode {
			d.fault(n, key+" must be a mapping of names to values", "write "+lastKey(key)+": {name: value}")
			return
		}
		*into = map[string]string{}
		for i := 0; i+1 < len(n.Content); i += 2 {
			name := n.Content[i].Value
			d.at[key+"."+name] = n.Content[i]
			if s, ok := d.text(key+"."+name, n.Content[i+1]); ok {
				(*into)[name] = s
			}
		}
	}
}
