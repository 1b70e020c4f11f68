package local

import (
	"slices"
	"sync"
	"time"

	"github.com/cloakroom/cloakroom/session/clock"
)

// An IdleClock knows how long idle time-outs have stood still. While the store can't be asked,
// nobody's activity can be recorded, so that time does not count: after an outage each session has
// as much of its idle time-out left as when the outage began. The absolute expiry is never
// postponed.
//
// The IdleClock goes by the pings of this process: those of the sweeper, and of everybody else who
// checks whether the store answers. A process that started during an outage knows only the part
// that it has seen itself.
//
// Time that the shared clock jumped over does not count, either: nobody could have been active in
// it.
type IdleClock struct {
	timeout time.Duration // 0: there is no idle time-out
	now     func() time.Time
	clock   *clock.Clock // nil: now never jumps

	mu       sync.Mutex // guards the fields below
	answered time.Time  // when the store last answered
	heard    time.Time  // the same, by this process's monotonic clock
	sure     bool       // whether the shared time was known at answered
	down     bool       // whether the store has failed since
	outages  []outage   // in order; only those that a live session can have seen
}

// An outage is a time in which the store could not be asked, or that the clock jumped over.
type outage struct{ from, to time.Time }

// maxOutages bounds memory; beyond it the oldest outages are forgotten.
const maxOutages = 1000

// NewIdleClock makes an IdleClock for an idle time-out; 0 means none. now is the time that replicas
// share, and so is shared, which may be nil.
func NewIdleClock(timeout time.Duration, now func() time.Time, shared *clock.Clock) *IdleClock {
	return &IdleClock{timeout: timeout, now: now, clock: shared, answered: now(), heard: time.Now()}
}

// Up records that the store answers.
func (c *IdleClock) Up() {
	c.mu.Lock()
	defer c.mu.Unlock()
	now, moment := c.now(), time.Now()
	if o := c.since(now, moment); o.to.After(o.from) {
		c.outages = append(c.outages, o)
	}
	c.cutAt(now)
	c.down, c.answered, c.heard = false, now, moment
	c.sure = c.clock == nil || c.clock.Known()
	// A session that was last active before an outage has expired once the time-out has passed
	// after it, not counting later outages. Such an outage can be forgotten.
	awake, first := time.Duration(0), len(c.outages)
	for at := now; first > 0 && len(c.outages)-first < maxOutages; first-- {
		o := c.outages[first-1]
		if awake += at.Sub(o.to); awake >= c.timeout {
			break
		}
		at = o.from
	}
	c.outages = slices.Clone(c.outages[first:])
}

// cutAt removes outages after now: they come from a clock that was ahead and was set back, and idle
// time-outs must not stand still until it gets there again. mu is held.
func (c *IdleClock) cutAt(now time.Time) {
	c.outages = slices.DeleteFunc(c.outages, func(o outage) bool { return !o.from.Before(now) })
	for i := range c.outages {
		if c.outages[i].to.After(now) {
			c.outages[i].to = now
		}
	}
}

// Age returns how long ago the store last answered.
func (c *IdleClock) Age() time.Duration {
	c.mu.Lock()
	defer c.mu.Unlock()
	return time.Since(c.heard)
}

// since returns the time after the last answer in which idle time-outs stood still; if there is
// none, from and to are equal. Its limits are times as they are written down, so it includes time
// that the clock jumped over. If the clock was set back, sessions live longer anyway.
func (c *IdleClock) since(now, moment time.Time) outage {
	last := c.answered
	if c.clock != nil {
		last = now.Add(-moment.Sub(c.heard)) // the last answer, by the present clock
	}
	o := outage{last, last}
	if c.sure && last.Sub(c.answered) > clock.SmallOffset {
		o.from = c.answered
	}
	if c.down {
		o.to = now
	}
	return o
}

// Fails records that the store did not answer.
func (c *IdleClock) Fails() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.down = c.timeout > 0
	if !c.sure && c.clock != nil && c.clock.Known() { // the store refuses writes but told the time
		c.answered, c.heard, c.sure = c.now(), time.Now(), true
	}
}

// SweepUntil returns the expiry, idle or absolute, up to which no session can be alive any more.
func (c *IdleClock) SweepUntil(now time.Time) time.Time {
	return now.Add(-c.stoodSince(time.Time{}))
}

// stoodSince returns how long the clock has stood still since a moment, in outages that are over.
func (c *IdleClock) stoodSince(moment time.Time) (stood time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, o := range c.outages {
		if o.to.After(moment) {
			stood += min(o.to.Sub(o.from), o.to.Sub(moment))
		}
	}
	if c.clock != nil && !c.down { // a jump that no ping has noted yet
		if o := c.since(c.now(), time.Now()); o.to.After(o.from) && o.to.After(moment) {
			stood += min(o.to.Sub(o.from), o.to.Sub(moment))
		}
	}
	return stood
}

// Expiry returns the idle expiry of a session after the time-outs stood still. It is never later
// than the absolute expiry. During an outage, a session that had not expired before it does not
// expire from being idle.
func (c *IdleClock) Expiry(idleExpires, lastActive, absolute time.Time) time.Time {
	end := idleExpires.Add(c.stoodSince(lastActive))
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.down && end.After(c.answered) || end.After(absolute) {
		return absolute
	}
	return end
}
