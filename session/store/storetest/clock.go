package storetest

import (
	"time"

	"github.com/cloakroom/cloakroom/session/clock"
)

// clockTests are about the time that replicas share.
var clockTests = []test{
	{"a ping says the server's time, if there is a server", func(b *bench) {
		for range 5 {
			sent := time.Now()
			at, err := b.store.Connection.Ping(b.ctx)
			b.ok("ping", err)
			back := time.Now()
			if b.isShared() == at.IsZero() {
				b.Errorf("it says %v, and that others share the store is %v", at, b.isShared())
			}
			// Here the server's clock is this machine's; milliseconds are all that a store need tell.
			if !at.IsZero() && (at.Before(sent.Add(-time.Millisecond)) || at.After(back.Add(time.Millisecond))) {
				b.Errorf("it says %v between %v and %v", at, sent, back)
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
				b.Errorf("a clock that is %v off shows the time %v off, want %v", off, got, want)
			}
			if ahead, known := c.Ahead(); !known || (ahead-(off-want)).Abs() > time.Second {
				b.Errorf("it is %v ahead (known %v), want %v", ahead, known, off-want)
			}
		}
	}},
}

// isShared reports whether processes on other machines use the store, too.
func (b *bench) isShared() bool {
	return b.store.Feed != nil
}

// clock is that of a replica, once it has asked the store, on a machine whose clock is ahead by so much.
func (b *bench) clock(ahead time.Duration) *clock.Clock {
	b.Helper()
	c := clock.New(clock.Options{Wall: func() time.Time { return time.Now().Add(ahead).Round(0) }})
	b.ok("ping", c.Ask(b.ctx, b.store.Connection))
	return c
}
