// Package layout decides whether a build may use a store, by comparing the layout version of the
// store with that of the build.
//
// Builds that are one version apart use one store side by side, so that replicas can be upgraded
// and rolled back one by one. Therefore a new version only adds to the layout, and the version
// before it, which knows nothing of the additions, must still be able to read and write. What a
// version no longer needs is removed two versions later. The package does not know where a store
// keeps its version. Its weak point: builds that are older than layout versions don't check.
package layout

import "fmt"

// A MismatchError means that a build must leave a store alone.
type MismatchError struct {
	Store, Build int  // the versions
	InUse        bool // whether the store is older, and processes of older builds use it
}

// Error states both versions and says what to do.
func (e *MismatchError) Error() string {
	text := fmt.Sprintf(
		"the store has layout version %d, and this build makes %d and works beside %d and %d",
		e.Store, e.Build, e.Build-1, e.Build+1,
	)
	if e.Build == 1 {
		text = fmt.Sprintf(
			"the store has layout version %d, and this build makes 1 and works beside 2", e.Store,
		)
	}
	if e.InUse {
		return fmt.Sprintf(
			"%s; replicas of an older build are running: upgrade all of them to a build that "+
				"makes version %d first, or stop them, and start this one then",
			text, e.Store+1,
		)
	}
	return fmt.Sprintf(
		"%s: run the newer build, or one that makes version %d, or name an empty store",
		text, e.Store-1,
	)
}

// Check returns nil if a build of one layout version may use a store of another, and a
// MismatchError if it may not. A build may use a store of its own version, of the next, and of any
// older one. If the store is more than one version older, no other process may use it, because
// those builds would not understand the new layout; only then Check calls inUse.
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

// Describe says how the layout of a store relates to that of a build. Check must have allowed the
// pair.
func Describe(store, build int) string {
	switch {
	case store < build:
		return fmt.Sprintf("layout version %d; the next start brings it to %d", store, build)
	case store > build:
		return fmt.Sprintf(
			"layout version %d, of a newer build; this one makes %d and works beside it",
			store, build,
		)
	}
	return fmt.Sprintf("layout version %d", store)
}
