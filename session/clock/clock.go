// Package clock tells the time that replicas share: that of the session store, or the machine's if
// the store has none. It asks the store through a small interface, and knows nothing of sessions.
package clock

import (
	"context"
	"log/slog"
	"math"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// SmallOffset is the largest offset that is normal between clocks synchronized by NTP. A larger one
// is logged.
const SmallOffset = time.Second

const (
	// farJump is how far the store's time may jump and be accepted at once. A farther jump that
	// this machine's clock does not confirm is accepted only after jumpPatience: somebody may be
	// about to correct the clock.
	farJump      = 10 * time.Minute
	jumpPatience = time.Minute
	// driftDivisor bounds how fast a machine's clock drifts: by one part in driftDivisor, 100 ppm.
	driftDivisor = 10_000
	// resolution is that of a store that tells the time in milliseconds.
	resolution = time.Millisecond
)

// A Clock tells the time that replicas share: that of the store. It takes the store's time at each
// Ask and continues from there by this process's monotonic clock, so that the machine's clock does
// not matter, nor changes to it. If the store has no clock of its own, it takes the machine's time
// in the same way.
//
// It is for everything that is written down and read by others: expiries, due times, the times of
// sealing, and times in tokens. What only this process measures goes by time.Now.
//
// The monotonic clock stops while the machine sleeps. Where the system tells how long it slept
// (Linux), the Clock adds that at once. Its weak point: if the store's clock is wrong, all replicas
// follow it.
type Clock struct {
	wall   func() time.Time
	slept  func() time.Duration
	shared bool
	log    *slog.Logger
	last   atomic.Pointer[sample] // never nil

	mu          sync.Mutex    // guards the fields below, and is held to replace last
	logged      time.Duration // the offset that was logged last; 0: none, or a small one again
	doubted     sample        // the first that claimed a far jump; zero: the last one did not
	loggedNoOwn bool          // whether it was logged that the store does not tell the time
}

// A sample is a reading of the store's clock.
type sample struct {
	at     time.Time     // the store's time
	heard  time.Time     // the moment of at, with this process's monotonic time
	margin time.Duration // the largest error of at: half of the round trip
	known  bool          // false: the store was not asked yet, so at is the machine's time
	own    bool          // the store has no clock, so at is the machine's time
	wall   time.Time     // the machine's time at heard
	slept  time.Duration // how long the machine had slept until heard
}

// Options are what a Clock needs.
type Options struct {
	Wall    func() time.Time      // the machine's clock; nil: time.Now
	Slept   func() time.Duration  // how long the machine has slept since its start; nil: from the system
	Shared  bool                  // whether several machines use the store; then it should have a clock
	Logger  *slog.Logger          // nil: slog.Default
	Metrics prometheus.Registerer // nil: not registered
}

// New makes a Clock that shows the machine's time until it has asked the store.
func New(o Options) *Clock {
	if o.Wall == nil {
		o.Wall = time.Now
	}
	if o.Logger == nil {
		o.Logger = slog.Default()
	}
	if o.Slept == nil {
		o.Slept = slept
	}
	c := &Clock{wall: o.Wall, slept: o.Slept, shared: o.Shared, log: o.Logger}
	now := time.Now()
	c.last.Store(c.sample(c.wall(), now, 0, true))
	if o.Metrics != nil {
		o.Metrics.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{
			Name: "cloakroom_clock_offset_seconds",
			Help: "How far this machine's clock is ahead of the session store's, " +
				"which is gone by; NaN until the store has answered.",
		}, func() float64 {
			if ahead, known := c.Ahead(); known {
				return ahead.Seconds()
			}
			return math.NaN()
		}))
	}
	return c
}

// Now returns the shared time. It has no monotonic part: measure intervals within this process with
// time.Since.
func (c *Clock) Now() time.Time {
	last := c.last.Load()
	return last.then(time.Now()).Add(c.missed(last))
}

// missed is how much time the monotonic clock has missed since a sample: the time that the machine
// slept and, if the Clock goes by the machine's clock, the amount by which that was set. If it was
// set far, take has to accept the jump first.
func (c *Clock) missed(last *sample) time.Duration {
	set := c.wall().Round(0).Sub(last.wall) - time.Since(last.heard)
	if set.Abs() <= SmallOffset {
		return 0
	}
	asleep := c.slept() - last.slept
	if last.own && ((set-asleep).Abs() <= farJump || !sleepIsKnown && set > 0) {
		return set
	}
	return asleep
}

// sample makes a sample of a time that was heard at about now.
func (c *Clock) sample(at, heard time.Time, margin time.Duration, own bool) *sample {
	return &sample{
		at: at.Round(0), heard: heard, margin: margin + resolution, own: own,
		wall: c.wall().Round(0).Add(-time.Since(heard)), slept: c.slept(),
	}
}

// Known reports whether the store has told its time yet.
func (c *Clock) Known() bool { return c.last.Load().known }

// Ahead returns how far this machine's clock is ahead of the shared time; it is negative if the
// clock is behind. It is not known until the store has told its time.
func (c *Clock) Ahead() (ahead time.Duration, known bool) {
	return c.wall().Round(0).Sub(c.Now()), c.Known()
}

// then returns the shared time at a moment of this process.
func (r *sample) then(moment time.Time) time.Time { return r.at.Add(moment.Sub(r.heard)) }

// marginAt returns the largest error of then.
func (r *sample) marginAt(moment time.Time) time.Duration {
	return r.margin + moment.Sub(r.heard).Abs()/driftDivisor
}

// A Pinger returns the time of the store's clock; see storage.Connection.
type Pinger interface {
	Ping(ctx context.Context) (time.Time, error)
}

// Ask asks the store for its time and adopts it. The error is the store's.
func (c *Clock) Ask(ctx context.Context, s Pinger) error {
	sent := time.Now()
	at, err := s.Ping(ctx)
	if err != nil && at.IsZero() {
		return err
	}
	own := at.IsZero()
	if own {
		sent, at = time.Now(), c.wall()
	}
	half := time.Since(sent) / 2
	next := c.sample(at, sent.Add(half), half, own)
	next.known = true
	c.take(next)
	return err
}

// IsStores reports whether the Clock goes by a clock of the store, as far as is known.
func (c *Clock) IsStores() bool { return !c.last.Load().own }

// take adopts a new sample, unless the present one is more precise, or the new one is hard to
// believe.
func (c *Clock) take(next *sample) {
	c.mu.Lock()
	defer c.mu.Unlock()
	last := c.last.Load()
	jump := next.at.Sub(last.then(next.heard).Add(c.missed(last)))
	switch {
	case !last.known:
		c.last.Store(next)
	case jump.Abs() <= next.margin+last.marginAt(next.heard): // the samples may both be right
		c.doubted = sample{}
		if next.margin <= last.marginAt(next.heard) {
			c.last.Store(next)
		}
	case c.accepts(next, jump):
		c.doubted = sample{}
		c.last.Store(next)
		if jump.Abs() > SmallOffset {
			c.log.Warn("the clock that sessions use has jumped; "+
				"idle timeouts stop during the jump", "by", jump.String(), "clock", clockName(next.own))
		}
	}
	c.logOffset(next)
}

// accepts reports whether a jump is accepted now.
func (c *Clock) accepts(next *sample, jump time.Duration) bool {
	if jump.Abs() <= farJump {
		return true
	}
	if !next.own && c.wall().Round(0).Sub(next.then(time.Now())).Abs() < time.Minute {
		return true // the jump brings us back to this machine's time: ours was the wrong one
	}
	apart := next.at.Sub(c.doubted.then(next.heard)).Abs()
	again := c.doubted.known && apart <= SmallOffset+next.margin+c.doubted.margin
	if !again {
		c.doubted = *next
		c.log.Warn("the clock that sessions use reports a large jump; "+
			"the jump is accepted if it lasts", "by", jump.String(),
			"after", jumpPatience.String(), "clock", clockName(next.own))
	}
	return next.heard.Sub(c.doubted.heard) >= jumpPatience
}

func clockName(own bool) string {
	if own {
		return "this machine's"
	}
	return "the session store's"
}

// logOffset logs when this machine's clock starts to be off, is off by a different amount, and
// agrees again.
func (c *Clock) logOffset(r *sample) {
	if r.own {
		if c.shared && !c.loggedNoOwn {
			c.loggedNoOwn = true
			c.log.Warn("the session store does not tell its time, so this replica uses " +
				"its own clock; allow its user the command TIME")
		}
		return
	}
	ahead, _ := c.Ahead()
	switch off := ahead.Abs() > SmallOffset+r.margin; {
	case off && (c.logged == 0 || (ahead-c.logged).Abs() > SmallOffset+c.logged.Abs()/10):
		c.logged = ahead
		c.log.Warn("this machine's clock differs from the session store's, which is used; "+
			"set both by NTP", "ahead", ahead.String())
	case c.logged != 0 && ahead.Abs() < SmallOffset/2:
		c.logged = 0
		c.log.Info("this machine's clock agrees with the session store's again")
	}
}
