// Package storage defines what a session store must do: small interfaces, each for one kind of
// worker, and the types that they use. It is for authors of stores and for the workers that use
// one; callers that only use sessions need package session alone.
//
// A store keeps sealed bytes and never opens them. Names, reasons and keys are opaque to it;
// package session gives them their meaning. session/store/storetest tests what every store must do.
//
// The package knows no particular store, no key, and no content of a record.
package storage

import (
	"context"
	"errors"
	"time"
)

// These are the answers of a store. Any other error means that it can't be asked at the moment,
// which is never a reason to treat anyone as logged out.
var (
	// ErrNotFound: there is no such record; the only answer that means "logged out".
	ErrNotFound = errors.New("no such session")
	// ErrConflict: the record changed since the version that was read.
	ErrConflict = errors.New("session changed since it was read")
	// ErrExists: the name that Create was given is taken.
	ErrExists = errors.New("session name is taken")
	// ErrUnconfirmed: End has ended the record, but a fail-over of the store may undo that.
	ErrUnconfirmed = errors.New("ended, but a fail-over of the store may undo it")
	// ErrNotAsked: nothing was sent to the store, so nothing was done there. After any other
	// failure, a write may have been done, or may still be done: a frozen server executes it once
	// it wakes.
	ErrNotAsked = errors.New("session store was not asked")
)

// A Store is one store, divided into parts that may all be one value. Each worker gets only the
// parts that it needs. All methods of all parts are safe for concurrent use, also by several
// processes if the store is shared. Times are kept at least to the millisecond.
type Store struct {
	Records    Records // only for package session, which announces each end
	Finder     Finder
	Outbox     Outbox
	Leases     Leases
	Marks      Marks
	Connection Connection
	Feed       ChangeFeed // nil: the store does not announce what other processes do
}

// IsZero reports whether all parts are missing.
func (s Store) IsZero() bool { return s == Store{} }

// IsComplete reports whether no part is missing, except perhaps the Feed.
func (s Store) IsComplete() bool {
	return s.Records != nil && s.Finder != nil && s.Outbox != nil &&
		s.Leases != nil && s.Marks != nil && s.Connection != nil
}

// A Connection is the connection to the store.
type Connection interface {
	// Ping returns nil if the store answers and accepts writes. It also returns the store's time,
	// or the zero time if the store has no clock but this machine's. It may return the time
	// together with an error if the store can be read but refuses writes.
	Ping(ctx context.Context) (time.Time, error)
	// Close closes the connection. No method of any part may be called after it.
	Close() error
}

// An Inspection is a report on a store for its operator.
type Inspection struct {
	Layout   string        // how the store's layout relates to this build's; "": unknown
	Current  bool          // whether a start would leave the layout as it is
	Warnings []string      // about settings that endanger sessions
	Ahead    time.Duration // how far this machine's clock is ahead of the server's
}
