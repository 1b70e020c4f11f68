package session

import (
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
	over     time.Time  // when the last outage was
	// stood is how long the outages until over were together, if fewer than timeout lay between each and the next; 0 when
	// over is so long ago that every session that it was of use to has been active since, or has run out.
	stood time.Duration
}

// up notes that the store answers.
func (c *idleClock) up(now time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case c.down:
		c.stood += now.Sub(c.answered)
		c.over, c.down = now, false
	case now.Sub(c.over) >= c.timeout:
		c.stood = 0
	}
	c.answered = now
}

// fails notes that the store did not answer.
func (c *idleClock) fails() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.down = c.timeout > 0
}

// sweepUntil is the idle or absolute expiry up to which no session can be alive any more.
func (c *idleClock) sweepUntil(now time.Time) time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return now.Add(-c.stood)
}

// apply returns s with the idle expiry that it has with regard to outages. As long as one lasts, a session does not run
// out by idleness at all that had not before it.
func (c *idleClock) apply(s *Session) *Session {
	if s.IdleExpires.IsZero() {
		return s
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	end := s.IdleExpires
	if c.stood > 0 && s.LastActive.Before(c.over) {
		end = end.Add(min(c.stood, c.over.Sub(s.LastActive)))
	}
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
