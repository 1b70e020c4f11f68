package local

import (
	"slices"
	"sync"
	"time"

	"github.com/cloakroom/cloakroom/session/clock"
)

// An IdleClock says how long the idle time-outs have stood still. While the store can't be asked nobody's activity can be
// written down, so that time counts against nobody: after an outage each session has as much of its idle time-out left as
// when it began. The absolute expiry is never put off.
//
// It goes by the pings of this process: those of the sweeper, and of whoever else asks whether the store answers. A
// process that came up during the outage knows of no more than it has seen itself.
//
// It stands still, too, over a time that the clock that replicas share has jumped over: nobody lived through it.
type IdleClock struct {
	timeout time.Duration // 0: none, and nothing to know
	now     func() time.Time
	clock   *clock.Clock // nil: now never jumps

	mu       sync.Mutex // guards what follows
	answered time.Time  // when the store last did
	heard    time.Time  // the same, by this process's monotonic clock
	sure     bool       // whether answered is of a clock that was known
	down     bool       // whether it has not since
	outages  []outage   // those that a session which is not over can have seen, in order
}

// An outage is a time in which the store could not be asked, or that never was.
type outage struct{ from, to time.Time }

// maxOutages bounds what is remembered; beyond it the first ones are forgotten.
const maxOutages = 1000

// NewIdleClock makes one for an idle time-out; 0 means none. Both now and shared, which may be nil, are
// the time that replicas share.
func NewIdleClock(timeout time.Duration, now func() time.Time, shared *clock.Clock) *IdleClock {
	return &IdleClock{timeout: timeout, now: now, clock: shared, answered: now(), heard: time.Now()}
}

// Up notes that the store answers.
func (c *IdleClock) Up() {
	c.mu.Lock()
	defer c.mu.Unlock()
	now, moment := c.now(), time.Now()
	if o := c.since(now, moment); o.to.After(o.from) {
		c.outages = append(c.outages, o)
	}
	c.forgetAfter(now)
	c.down, c.answered, c.heard, c.sure = false, now, moment, c.clock == nil || c.clock.Known()
	// Who was active last before an outage has run out once the time-out has passed since, without later outages.
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

// forgetAfter cuts off what lies ahead of now: a clock that jumped ahead was set back, and idle time-outs don't stand still
// until it is there again. mu is held.
func (c *IdleClock) forgetAfter(now time.Time) {
	c.outages = slices.DeleteFunc(c.outages, func(o outage) bool { return !o.from.Before(now) })
	for i := range c.outages {
		if c.outages[i].to.After(now) {
			c.outages[i].to = now
		}
	}
}

// Age is how long ago the store last answered.
func (c *IdleClock) Age() time.Duration {
	c.mu.Lock()
	defer c.mu.Unlock()
	return time.Since(c.heard)
}

// since is the time since the last answer in which idle time-outs stood still; none when from and to are the same. It lies
// between times as they are written down, so that what the clock has jumped over belongs to it. A clock that is set back
// has everybody live longer as it is.
func (c *IdleClock) since(now, moment time.Time) outage {
	last := c.answered
	if c.clock != nil {
		last = now.Add(-moment.Sub(c.heard)) // where the last answer lies now
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

// Fails notes that the store did not answer.
func (c *IdleClock) Fails() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.down = c.timeout > 0
	if !c.sure && c.clock != nil && c.clock.Known() { // it takes no writes, and has said what time it is
		c.answered, c.heard, c.sure = c.now(), time.Now(), true
	}
}

// SweepUntil is the idle or absolute expiry up to which no session can be alive any more.
func (c *IdleClock) SweepUntil(now time.Time) time.Time {
	return now.Add(-c.stoodSince(time.Time{}))
}

// stoodSince is how long the clock has stood still after a moment, in outages that are over.
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

// Expiry is the idle expiry that a session has with regard to outages, of its own and its absolute one. As
// long as an outage lasts, a session does not run out by idleness at all that had not before it.
func (c *IdleClock) Expiry(idleExpires, lastActive, absolute time.Time) time.Time {
	end := idleExpires.Add(c.stoodSince(lastActive))
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.down && end.After(c.answered) || end.After(absolute) {
		return absolute
	}
	return end
}
