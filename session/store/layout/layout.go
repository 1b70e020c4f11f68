// Package layout decides whether a build may use a store, by the versions of the store's layout and of the one that the
// build makes.
//
// Builds that are one version apart use one store side by side, so that replicas can be upgraded and rolled back one
// after the other. For that to be so, what a version changes is only ever added: the version before it, which knows
// nothing of it, must go on reading and writing. What a version no longer needs is taken away two versions later. The
// package does not know where a store keeps its version. Its weak point: builds from before a store had one don't ask.
package layout

import "fmt"

// A MismatchError means that a build must leave a store alone.
type MismatchError struct {
	Store, Build int  // the versions
	InUse        bool // whether the store is older, and processes of older builds use it
}

// Error says what to do about it.
func (e *MismatchError) Error() string {
	text := fmt.Sprintf("the store has layout version %d, and this build makes %d and works beside %d and %d", e.Store, e.Build, e.Build-1, e.Build+1)
	if e.Build == 1 {
		text = fmt.Sprintf("the store has layout version %d, and this build makes 1 and works beside 2", e.Store)
	}
	if e.InUse {
		return fmt.Sprintf("%s; replicas of an older build are running: upgrade all of them to a build that makes version %d first, "+
			"or stop them, and start this one then", text, e.Store+1)
	}
	return fmt.Sprintf("%s: run the newer build, or one that makes version %d, or name an empty store", text, e.Store-1)
}

// Check returns nil if a build that makes one version of the layout may use a store of another, and a MismatchError if
// it may not. It may use its own, the next, and every older one; but if the store is more than one version older, only
// while nobody else uses it, which inUse is asked then: a build so old would not understand what becomes of it.
func Check(store, build int, inUse func() (bool, error)) error {
	switch {
	case store > build+1:
		return &MismatchError{Store: store, Build: build}
	case store < build-1:
		used, err := inUse()
		if err != nil {
			return fmt.Errorf("ask who uses the store: %w", err)
		}
		if used {
			return &MismatchError{Store: store, Build: build, InUse: true}
		}
	}
	return nil
}

// Describe says how a store of one version, of those that Check allows, stands to a build that makes another.
func Describe(store, build int) string {
	switch {
	case store < build:
		return fmt.Sprintf("layout version %d; the next start brings it to %d", store, build)
	case store > build:
		return fmt.Sprintf("layout version %d, of a newer build; this one makes %d and works beside it", store, build)
	}
	return fmt.Sprintf("layout version %d", store)
}
