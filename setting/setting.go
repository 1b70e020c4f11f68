// Package setting describes the keys of the configuration file.
//
// A package that an operator can configure describes its own keys: what each may hold, what holds
// without it, and what the documentation says of it. It also checks its own values (see Check).
// Package config reads files along these descriptions; the reference, the example file and the JSON
// Schema are made from them. This package knows no key and no file format.
package setting

import (
	"slices"
	"strings"
)

// A Fault is what is wrong with a value: What is the rest of a sentence that begins with the key's
// path, Remedy says what would be right. Neither holds the value itself, which may be a secret.
type Fault struct{ What, Remedy string }

// NewFault returns a Fault.
func NewFault(what, remedy string) *Fault { return &Fault{what, remedy} }

// A Value is what a key holds: a Scalar, a List, a Block or StringMap.
type Value interface {
	// Text is the present value as the file would write it on one line, "" if there is none. Of
	// fresh options it is the default.
	Text() string

	// HoldsSecret reports whether it, or a value below it, must never be shown.
	HoldsSecret() bool
}

// A Key is one key of a Block.
type Key struct {
	Name  string
	Value Value

	// Doc is the meaning and the limits, in Markdown without line breaks. Its first sentence stands
	// alone in the example file.
	Doc string
	// Default is what the reference says of the default where the Value's own text can't: required,
	// the id.
	Default string
	// Example is the values of the example file: one for a plain key; for a key of Blocks one for
	// each item, where "" leaves the key out. A value that begins with "# " is shown commented out.
	Example []string
}

// A Block is a mapping of known keys, in the order of the documentation.
type Block []Key

// Text is "": a block has no text of its own.
func (Block) Text() string { return "" }

// HoldsSecret implements Value.
func (b Block) HoldsSecret() bool {
	return slices.ContainsFunc(b, func(k Key) bool { return k.Value.HoldsSecret() })
}

// A List is any number of values of one kind, made with ListOf or Blocks.
type List struct {
	Example string          // of a whole list, for whoever wrote something else
	Grow    func(n int)     // makes room for n items, each with its defaults
	Item    func(int) Value // item i, once there is room for it
	len     func() int
}

// ListOf is a list of single values.
func ListOf[T any](into *[]T, example string, item func(*T) Scalar) List {
	return List{
		Example: example,
		Grow:    func(n int) { *into = make([]T, n) },
		Item:    func(i int) Value { return item(&(*into)[i]) },
		len:     func() int { return len(*into) },
	}
}

// Blocks is a list of blocks, each of which begins as fresh returns it.
func Blocks[T any](into *[]T, example string, fresh func() T, keys func(*T) Block) List {
	return List{
		Example: example,
		Grow: func(n int) {
			*into = make([]T, n)
			for i := range *into {
				(*into)[i] = fresh()
			}
		},
		Item: func(i int) Value { return keys(&(*into)[i]) },
		len:  func() int { return len(*into) },
	}
}

// Text implements Value.
func (l List) Text() string {
	var items []string
	for i := range l.len() {
		items = append(items, l.Item(i).Text())
	}
	if len(items) == 0 {
		return ""
	}
	return "[" + strings.Join(items, ", ") + "]"
}

// HoldsSecret implements Value. It forgets the list's items.
func (l List) HoldsSecret() bool { return l.one().HoldsSecret() }

// one is an item of an otherwise forgotten list.
func (l List) one() Value {
	l.Grow(1)
	return l.Item(0)
}

// StringMap is a block of free keys with one text each.
type StringMap struct {
	Into    *map[string]string
	Check   func(key string) *Fault // nil if the key may be set
	Example string                  // of one key and its value
}

// Text is "": a block has no text of its own.
func (StringMap) Text() string { return "" }

// HoldsSecret implements Value.
func (StringMap) HoldsSecret() bool { return false }

// Walk calls visit for each key of a block and of the blocks below it, with its path without indices:
// providers.client_id. It changes the values of lists, so it is for descriptions of fresh options.
func (b Block) Walk(visit func(path string, k Key)) { b.walk("", visit) }

func (b Block) walk(path string, visit func(string, Key)) {
	for _, k := range b {
		at := Join(path, k.Name)
		visit(at, k)
		below := k.Value
		if l, ok := below.(List); ok {
			below = l.one()
		}
		if block, ok := below.(Block); ok {
			block.walk(at, visit)
		}
	}
}

// Join is the path of a key in the block at a path, which is "" for the whole file.
func Join(path, key string) string {
	if path == "" {
		return key
	}
	return path + "." + key
}
