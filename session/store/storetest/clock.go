package storetest

import (
	"time"

	"github.com/cloakroom/cloakroom/session/clock"
)

// clockTests are about the time that replicas share.
var clockTests = []test{
	{"a ping returns the server's time, if there is a server", func(b *bench) {
		for range 5 {
			sent := time.Now()
			at, err := b.store.Connection.Ping(b.ctx)
			b.ok("ping", err)
			back := time.Now()
			if b.isShared() == at.IsZero() {
				b.Errorf("ping = %v, and the store is shared: %v", at, b.isShared())
			}
			// The server runs on this machine, and a store tells the time to the millisecond.
			early := at.Before(sent.Add(-time.Millisecond))
			if late := at.After(back.Add(time.Millisecond)); !at.IsZero() && (early || late) {
				b.Errorf("ping = %v, want a time between %v and %v", at, sent, back)
			}
		}
	}},
	{"a replica whose machine's clock is wrong goes by the server's", func(b *bench) {
		for _, off := range []time.Duration{24 * time.Hour, -24 * time.Hour, 3 * time.Minute} {
			c, want := b.clock(off), off
			if b.isShared() {
				want = 0
			}
			if got := time.Until(c.Now()); (got - want).Abs() > time.Second {
				b.Errorf("on a machine that is %v off, the clock is %v off, want %v", off, got, want)
			}
			if ahead, known := c.Ahead(); !known || (ahead-(off-want)).Abs() > time.Second {
				b.Errorf("ahead = %v (known %v), want %v", ahead, known, off-want)
			}
		}
	}},
}

// isShared reports whether processes on other machines use the store, too.
func (b *bench) isShared() bool {
	return b.store.Feed != nil
}

// clock returns the clock of a replica on a machine whose own clock is ahead. It has asked the
// store.
func (b *bench) clock(ahead time.Duration) *clock.Clock {
	b.Helper()
	c := clock.New(clock.Options{Wall: func() time.Time { return time.Now().Add(ahead).Round(0) }})
	b.ok("ping", c.Ask(b.ctx, b.store.Connection))
	return c
}
