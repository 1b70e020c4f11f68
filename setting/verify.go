package setting

import (
	"errors"
	"fmt"
)

// Fill sets each key whose text is empty to its text in fresh, so that a zero field of options
// means its default, unless the empty text is a value of its own. An empty list takes the items of
// fresh; the items of a list of blocks are filled like blocks. Both blocks must have the same keys.
// The contents of a slice do not change: the options get slices of their own.
func Fill(keys, fresh Block) {
	for i, k := range keys {
		switch v := k.Value.(type) {
		case Block:
			Fill(v, fresh[i].Value.(Block))
		case Scalar:
			if to, ok := fresh[i].Value.(Scalar); ok && !v.Empty && v.present() == "" && to.present() != "" {
				v.Set(to.present()) // a default is valid
			}
		case List:
			fillList(v, fresh[i].Value.(List))
		}
	}
}

func fillList(l, fresh List) {
	if l.len() > 0 {
		l.unshare()
		for i := range l.len() {
			if item, ok := l.Item(i).(Block); ok {
				Fill(item, fresh.resetToOne().(Block))
			}
		}
		return
	}
	if fresh.len() == 0 {
		return
	}
	l.Grow(fresh.len())
	for i := range fresh.len() {
		if item, ok := l.Item(i).(Scalar); ok {
			item.Set(fresh.Item(i).(Scalar).present())
		}
	}
}

// Verify checks options that a program sets instead of a file. It applies each key's own rule, and
// then calls check to compare keys. A key counts as given if its value differs from that in fresh,
// which must have the same keys. It stores values in the form in which a file would give them, and
// gives the options slices of their own. The error lists every fault.
func Verify(keys, fresh Block, check func(Check)) error {
	v := &values{given: map[string]bool{}, bad: map[string]bool{}}
	v.block("", keys, fresh)
	check(Check{State: v})
	return errors.Join(v.faults...)
}

// values is the State of options that a program sets.
type values struct {
	given, bad map[string]bool // by path
	faults     []error
}

// Given implements State.
func (v *values) Given(path string) bool { return v.given[path] }

// GivenAndValid implements State.
func (v *values) GivenAndValid(path string) bool { return v.given[path] && !v.bad[path] }

// Misspelt implements State.
func (v *values) Misspelt(string) bool { return false }

// Report implements State.
func (v *values) Report(path string, f Fault) {
	v.bad[path] = true
	v.faults = append(v.faults, fmt.Errorf("%s %s: %s", path, f.What, f.Remedy))
}

// Warn implements State. It does nothing: only operators are warned.
func (v *values) Warn(string) {}

func (v *values) block(path string, keys, fresh Block) {
	for i, k := range keys {
		v.value(Join(path, k.Name), k.Value, fresh[i].Value)
	}
}

func (v *values) value(path string, value, fresh Value) {
	switch value := value.(type) {
	case Block:
		v.block(path, value, fresh.(Block))
	case Scalar:
		v.scalar(path, value, fresh.(Scalar))
	case List:
		v.list(path, value, fresh.(List))
	case StringMap:
		v.given[path] = len(*value.Into) > 0
		for key := range *value.Into {
			if f := value.Check(key); f != nil {
				v.Report(Join(path, key), *f)
			}
		}
	}
}

func (v *values) scalar(path string, s, fresh Scalar) {
	text := s.present()
	if text == fresh.present() || text == "" {
		return
	}
	v.given[path] = true
	if f := s.Set(text); f != nil {
		v.Report(path, *f)
	}
}

func (v *values) list(path string, l, fresh List) {
	v.given[path] = l.Text() != fresh.Text()
	l.unshare()
	for i := range l.len() {
		at := fmt.Sprintf("%s[%d]", path, i)
		v.given[at] = true
		switch item := l.Item(i).(type) {
		case Scalar:
			v.item(at, item)
		case Block:
			v.block(at, item, fresh.resetToOne().(Block))
		}
	}
}

// item checks a single value of a list. It has no default, so an empty one is a fault, as in a file.
func (v *values) item(path string, s Scalar) {
	text := s.present()
	if text == "" && !s.Empty {
		v.Report(path, Fault{"is empty", "give it a value, or take it out"})
		return
	}
	if f := s.Set(text); f != nil {
		v.Report(path, *f)
	}
}
