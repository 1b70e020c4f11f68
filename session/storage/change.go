package storage

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// A ChangeFeed announces changes of records at once to all processes that share a store. Without
// one, a store belongs to one process, or each process notices the changes of others only after a
// while.
type ChangeFeed interface {
	// Listen calls heard for each change, including this process's own, until ctx ends or the feed
	// breaks; it returns the reason. The changes of one record come in the order in which the store
	// made them. Listen sends a heartbeat through the feed at every interval. Once that proves that
	// all changes before a moment, by this process's clock, have been delivered, Listen calls
	// proven with it, for the first time as soon as the feed works. Both functions must be quick;
	// one goroutine calls them.
	Listen(
		ctx context.Context, every time.Duration, heard func(Change), proven func(time.Time),
	) error
}

// A Change is what one process did to a record, as the store announces it to all.
type Change struct {
	Kind    ChangeKind
	Name    string
	Version uint64 // after an update
	Reason  string // of an end
	// LastActive and IdleExpires are the times after a touch.
	LastActive, IdleExpires time.Time
}

// A ChangeKind is a kind of change.
type ChangeKind int

// The kinds of change.
const (
	RecordUpdated ChangeKind = iota + 1
	RecordTouched
	RecordEnded
)

// String returns the text by which stores announce a change: the letter of its kind, the name, and
// the values of its kind. The announcements that stores write in Lua or SQL have this form, too.
func (c Change) String() string {
	switch c.Kind {
	case RecordUpdated:
		return fmt.Sprintf("u %s %d", c.Name, c.Version)
	case RecordTouched:
		return fmt.Sprintf("t %s %d %d", c.Name, millis(c.LastActive), millis(c.IdleExpires))
	case RecordEnded:
		return fmt.Sprintf("e %s %s", c.Name, c.Reason)
	}
	return ""
}

// ParseChange reads what String wrote. It returns false for anything else, which a later build may
// have written.
func ParseChange(text string) (c Change, ok bool) {
	parts := strings.Split(text, " ")
	if len(parts) < 3 {
		return c, false
	}
	c.Name = parts[1]
	if parts[0] == "e" && len(parts) == 3 {
		c.Kind, c.Reason = RecordEnded, parts[2]
		return c, true
	}
	var numbers []int64
	for _, part := range parts[2:] {
		n, err := strconv.ParseInt(part, 10, 64)
		if err != nil || n < 0 {
			return Change{}, false
		}
		numbers = append(numbers, n)
	}
	switch {
	case parts[0] == "u" && len(numbers) == 1:
		c.Kind, c.Version = RecordUpdated, uint64(numbers[0])
	case parts[0] == "t" && len(numbers) == 2:
		c.Kind, c.LastActive, c.IdleExpires = RecordTouched, moment(numbers[0]), moment(numbers[1])
	default:
		return Change{}, false
	}
	return c, true
}

// millis returns a time in milliseconds since 1970; 0 is the zero time.
func millis(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMilli()
}

// moment is the inverse of millis.
func moment(millis int64) time.Time {
	if millis == 0 {
		return time.Time{}
	}
	return time.UnixMilli(millis).UTC()
}
