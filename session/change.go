package session

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// A Line is a store that processes share and that tells each of them at once what is done to records.
// A store without it belongs to one process, or what others do is noticed only after MaxStaleness.
type Line interface {
	Store
	// Listen tells of changes, this process's own included, in the order in which the store made those
	// of one record, until ctx ends or the line breaks; it returns why. Each time the line has proven
	// that nothing written before a moment is still on its way, proven is called with that moment, by
	// this process's clock, for the first time when the line stands. Both functions must be quick; they
	// are called by one goroutine at a time.
	Listen(ctx context.Context, every time.Duration, heard func(Change), proven func(time.Time)) error
}

// A Change is what one process did to a record, as a store tells it to the others.
type Change struct {
	Kind    ChangeKind
	Name    Name
	Version uint64 // after an update
	Reason  Reason // of an end
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
		return fmt.Sprintf("t %s %d %d", c.Name, millisOf(c.LastActive), millisOf(c.IdleExpires))
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
	c.Name = Name(parts[1])
	if parts[0] == "e" && len(parts) == 3 {
		c.Kind, c.Reason = RecordEnded, Reason(parts[2])
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
		c.Kind, c.LastActive, c.IdleExpires = RecordTouched, millis(numbers[0]).time(), millis(numbers[1]).time()
	default:
		return Change{}, false
	}
	return c, true
}
