// Package setting describes the keys of the configuration file.
//
// A package that an operator can configure describes its own keys: the values that each accepts,
// its default, and its documentation. It also checks its own values (see Check). Package config
// reads files by these descriptions, and the reference, the example file and the JSON Schema are
// generated from them. This package knows no key and no file format.
package setting

import (
	"slices"
	"strings"
)

// A Fault describes what is wrong with a value and how to correct it. What is the predicate of a
// sentence whose subject is the key's path, as "is not a URL". Neither text holds the value itself,
// which may be a secret.
type Fault struct{ What, Remedy string }

// NewFault returns a Fault.
func NewFault(what, remedy string) *Fault { return &Fault{what, remedy} }

// A Value describes the value of a key: a Scalar, a List, a Block or a StringMap.
type Value interface {
	// Text returns the present value as a file would write it on one line, or "" if there is none.
	// For fresh options that is the default.
	Text() string

	// HoldsSecret reports whether this value, or one below it, must never be shown.
	HoldsSecret() bool
}

// A Key is one key of a Block.
type Key struct {
	Name  string
	Value Value

	// Doc describes the key and its limits, in Markdown without line breaks. The example file shows
	// only its first sentence.
	Doc string
	// Default describes the default in the reference where the Value's Text can't: "required",
	// "the id".
	Default string
	// Example holds the values shown in the example file: one for a plain key; for a key of Blocks
	// one for each item, where "" leaves the key out. A value that begins with "# " is commented
	// out.
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

// A List is any number of values of one kind. Make one with ListOf or Blocks.
type List struct {
	Example string          // a whole list, shown in the remedy for a value that is not a list
	Grow    func(n int)     // replaces the list by one of n items, each with its defaults
	Item    func(int) Value // the item at an index
	len     func() int
	unshare func() // replaces the list by a copy
}

// ListOf returns a list of single values.
func ListOf[T any](into *[]T, example string, item func(*T) Scalar) List {
	return List{
		Example: example,
		Grow:    func(n int) { *into = make([]T, n) },
		Item:    func(i int) Value { return item(&(*into)[i]) },
		len:     func() int { return len(*into) },
		unshare: func() { *into = slices.Clone(*into) },
	}
}

// Blocks returns a list of blocks. The function fresh returns the defaults of one item.
func Blocks[T any](into *[]T, example string, fresh func() T, keys func(*T) Block) List {
	return List{
		Example: example,
		Grow: func(n int) {
			*into = make([]T, n)
			for i := range *into {
				(*into)[i] = fresh()
			}
		},
		Item:    func(i int) Value { return keys(&(*into)[i]) },
		len:     func() int { return len(*into) },
		unshare: func() { *into = slices.Clone(*into) },
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

// HoldsSecret implements Value. It replaces the list's items by a single one.
func (l List) HoldsSecret() bool { return l.resetToOne().HoldsSecret() }

// resetToOne replaces the list's items by a single one with its defaults, and returns that.
func (l List) resetToOne() Value {
	l.Grow(1)
	return l.Item(0)
}

// A StringMap is a mapping whose keys the operator chooses and whose values are texts.
type StringMap struct {
	Into    *map[string]string
	Check   func(key string) *Fault // returns nil for a key that may be set
	Example string                  // one key and its value
}

// Text is "": a mapping has no text of its own.
func (StringMap) Text() string { return "" }

// HoldsSecret implements Value.
func (StringMap) HoldsSecret() bool { return false }

// Walk calls visit for each key of a block and of the blocks below it. The path has no indices:
// providers.client_id. Walk replaces the items of lists, so call it only for fresh options.
func (b Block) Walk(visit func(path string, k Key)) { b.walk("", visit) }

func (b Block) walk(path string, visit func(string, Key)) {
	for _, k := range b {
		at := Join(path, k.Name)
		visit(at, k)
		below := k.Value
		if l, ok := below.(List); ok {
			below = l.resetToOne()
		}
		if block, ok := below.(Block); ok {
			block.walk(at, visit)
		}
	}
}

// Join returns the path of a key in the block at path, which is "" for the whole file.
func Join(path, key string) string {
	if path == "" {
		return key
	}
	return path + "." + key
}
