// Package storage says what a session store must do: small interfaces, each for one kind of worker,
// and what goes through them. It is for those who write a store and for the workers that use one;
// whoever uses sessions needs package session alone.
//
// A store keeps sealed bytes and never opens them. Names, reasons and keys are opaque to it: package
// session gives them their meaning. What every store must do is tested by session/store/storetest.
//
// It knows no store by name, no key, and nothing of what a record holds.
package storage

import (
	"context"
	"errors"
	"time"
)

// What a store says. Anything else it returns means that it can't be asked just now, which is never
// a reason to treat anyone as logged out.
var (
	// ErrNotFound: there is no such record; the only answer that means "logged out".
	ErrNotFound = errors.New("no such session")
	// ErrConflict: the record changed since the version that was read.
	ErrConflict = errors.New("session changed since it was read")
	// ErrExists: Create found the name taken.
	ErrExists = errors.New("session name is taken")
	// ErrUnconfirmed: End did it, but a fail-over of the store may undo it.
	ErrUnconfirmed = errors.New("ended, but a fail-over of the store may undo it")
	// ErrNotAsked: nothing was sent to the store, so nothing can have been done there. After any other
	// failure a write may or may not have been done, or may yet be: a server that froze does it when it wakes.
	ErrNotAsked = errors.New("session store was not asked")
)

// A Store is one store by its parts, which may all be one value. Each worker is handed the part that
// it needs, and no other. All methods of all parts are safe for concurrent use, by several processes
// too where the store is shared. Times are kept to the millisecond at least.
type Store struct {
	Records    Records // for package session alone: it tells everybody when a session ends
	Finder     Finder
	Outbox     Outbox
	Leases     Leases
	Marks      Marks
	Connection Connection
	Feed       ChangeFeed // nil: the store does not tell what other processes do
}

// IsZero reports whether there is no part at all.
func (s Store) IsZero() bool { return s == Store{} }

// IsComplete reports whether no part is missing. The Feed may be.
func (s Store) IsComplete() bool {
	return s.Records != nil && s.Finder != nil && s.Outbox != nil && s.Leases != nil && s.Marks != nil && s.Connection != nil
}

// A Connection is the way to the store.
type Connection interface {
	// Ping returns nil when the store answers, and what its clock says; the zero time if it has none but this machine's.
	// A store that takes no writes may tell the time beside its error.
	Ping(ctx context.Context) (time.Time, error)
	// Close lets go of the store. No method of any part may be called after it.
	Close() error
}

// An Inspection is what an operator should know of a store.
type Inspection struct {
	Layout   string        // how its layout stands to this build; "": not said
	Current  bool          // a start changes nothing about the layout
	Warnings []string      // of settings that endanger sessions
	Ahead    time.Duration // of this machine's clock, of the server's
}
