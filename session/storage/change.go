package storage

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// A ChangeFeed tells each of the processes that share a store at once what is done to records. A store
// without one belongs to one process, or what others do is noticed only after a while.
type ChangeFeed interface {
	// Listen tells of changes, this process's own included, in the order in which the store made those
	// of one record, until ctx ends or the feed breaks; it returns why. Each time the feed has proven
	// that nothing written before a moment is still on its way, proven is called with that moment, by
	// this process's clock, for the first time when the feed stands. Both functions must be quick; they
	// are called by one goroutine at a time.
	Listen(ctx context.Context, every time.Duration, heard func(Change), proven func(time.Time)) error
}

// A Change is what one process did to a record, as a store tells it to the others.
type Change struct {
	Kind    ChangeKind
	Name    string
	Version uint64 // after an update
	Reason  string // of an end
	// LastActive and IdleExpires are what a touch moved forward.
	LastActive, IdleExpires time.Time
}

// A ChangeKind says what was done.
type ChangeKind int

// The kinds of change.
const (
	RecordUpdated ChangeKind = iota + 1
	RecordTouched
	RecordEnded
)

// String is the text in which stores tell a change: its kind's letter, the name, and what belongs to the
// kind. What stores write themselves, in Lua or SQL, has this form too.
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

// ParseChange reads what String wrote; false for anything else, which a later build may have written.
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

// millis is a time in milliseconds since 1970; 0 is the zero time.
func millis(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMilli()
}

// moment reads what millis wrote.
func moment(millis int64) time.Time {
	if millis == 0 {
		return time.Time{}
	}
	return time.UnixMilli(millis).UTC()
}
