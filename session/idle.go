package session

import (
	"slices"
	"sync"
	"time"
)

// An idleClock says how long the idle time-outs have stood still. While the store can't be asked nobody's activity can be
// written down, so that time counts against nobody: after an outage each session has as much of its idle time-out left as
// when it began. The absolute expiry is never put off.
//
// It goes by the pings of this process: those of the sweeper, and of whoever else asks whether the store answers. A
// process that came up during the outage knows of no more than it has seen itself.
type idleClock struct {
	timeout time.Duration // 0: none, and nothing to know

	mu       sync.Mutex // guards what follows
	answered time.Time  // when the store last did
	down     bool       // whether it has not since
	outages  []outage   // those that a session which is not over can have seen, in order
}

// An outage is a time in which the store could not be asked.
type outage struct{ from, to time.Time }

// maxOutages bounds what is remembered; beyond it the first ones are forgotten.
const maxOutages = 1000

// up notes that the store answers.
func (c *idleClock) up(now time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.down {
		c.outages, c.down = append(c.outages, outage{c.answered, now}), false
	}
	c.answered = now
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

// fails notes that the store did not answer.
func (c *idleClock) fails() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.down = c.timeout > 0
}

// sweepUntil is the idle or absolute expiry up to which no session can be alive any more.
func (c *idleClock) sweepUntil(now time.Time) time.Time {
	return now.Add(-c.stoodSince(time.Time{}))
}

// stoodSince is how long the clock has stood still after a moment, in outages that are over.
func (c *idleClock) stoodSince(moment time.Time) (stood time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, o := range c.outages {
		if o.to.After(moment) {
			stood += min(o.to.Sub(o.from), o.to.Sub(moment))
		}
	}
	return stood
}

// apply returns s with the idle expiry that it has with regard to outages. As long as one lasts, a session does not run
// out by idleness at all that had not before it.
func (c *idleClock) apply(s *Session) *Session {
	if s.IdleExpires.IsZero() {
		return s
	}
	end := s.IdleExpires.Add(c.stoodSince(s.LastActive))
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.down && end.After(c.answered) || end.After(s.Record.ExpiresAt) {
		end = s.Record.ExpiresAt
	}
	if end.Equal(s.IdleExpires) {
		return s
	}
	moved := *s
	moved.IdleExpires = end
	return &moved
}
