// Package clock tells the time that replicas share: the session store's, or the machine's where the store
// has none. It asks the store through a function of its caller's alone, and knows nothing of sessions.
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

// SmallOffset is what clocks that are kept by NTP are apart at most; more is told.
const SmallOffset = time.Second

const (
	// farJump is how far the store's time may jump and be believed at once. One that is farther, and that this machine's
	// clock does not confirm, is believed when it has stood for jumpPatience: somebody may be about to set it right.
	farJump      = 10 * time.Minute
	jumpPatience = time.Minute
	// driftShare is the part of an hour, or of any time, by which a machine's clock runs wrong at most: 100 ppm.
	driftShare = 10_000
	// resolution is that of a store that tells milliseconds.
	resolution = time.Millisecond
)

// A Clock tells the time that replicas share: the store's. It takes the store's time at each question (see Ask) and
// goes on from there by this process's monotonic clock, so that it does not matter what the machine's clock says, or how
// it is set meanwhile. Of a store without a clock of its own it takes the machine's, in the same way.
//
// It is for what is written down and read by others: expiries, due times, sealed times, and times in tokens. What this
// process alone measures goes by time.Now.
//
// The monotonic clock stands still while the machine sleeps; where the system tells for how long it did (Linux), that is
// added at once. Its weak point: a store whose clock is wrong has all replicas follow it.
type Clock struct {
	wall   func() time.Time
	slept  func() time.Duration
	shared bool
	log    *slog.Logger
	last   atomic.Pointer[sample] // never nil

	mu    sync.Mutex    // guards what follows, and is held to replace last
	told  time.Duration // the offset that was logged last; 0: that there is none
	doubt sample        // the first of those that say that the time has jumped far; zero: the last one did not
	mute  bool          // whether it was logged that the store does not tell its time
}

// A sample is what the store's clock said.
type sample struct {
	at    time.Time     // by the store, to be believed at heard
	heard time.Time     // with the monotonic time of this process
	wrong time.Duration // by how much it may be, at most: half of the round trip
	known bool          // false: it is the machine's, since the store was not asked yet
	own   bool          // it is the machine's, since the store has none
	wall  time.Time     // the machine's, at heard
	slept time.Duration // of the machine, until heard
}

// Options are what a Clock needs.
type Options struct {
	Wall    func() time.Time      // the machine's clock; nil: time.Now
	Slept   func() time.Duration  // how long the machine has slept since it started; nil: as the system says
	Shared  bool                  // whether the store is used from other machines, and so should have a clock of its own
	Logger  *slog.Logger          // nil: slog.Default
	Metrics prometheus.Registerer // nil: not registered
}

// New makes a Clock that shows the machine's time until the store was asked.
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
			Help: "How far this machine's clock is ahead of the session store's, which is gone by; NaN until the store has answered.",
		}, func() float64 {
			if ahead, known := c.Ahead(); known {
				return ahead.Seconds()
			}
			return math.NaN()
		}))
	}
	return c
}

// Now is the shared time. It has no monotonic part: take the time between two moments of this process with time.Since.
func (c *Clock) Now() time.Time {
	last := c.last.Load()
	return last.then(time.Now()).Add(c.missed(last))
}

// missed is what the monotonic clock has not seen since a sample: the machine's sleep and, where the machine's clock is
// gone by, that this was set. If it was set far, that must stand first.
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

// sample is what was heard at a moment that is about now.
func (c *Clock) sample(at, heard time.Time, wrong time.Duration, own bool) *sample {
	return &sample{
		at: at.Round(0), heard: heard, wrong: wrong + resolution, own: own,
		wall: c.wall().Round(0).Add(-time.Since(heard)), slept: c.slept(),
	}
}

// Known reports whether the store has told its time yet.
func (c *Clock) Known() bool { return c.last.Load().known }

// Ahead is how far this machine's clock is ahead of the shared time, negative if it is behind. It is not known until the
// store has told its time.
func (c *Clock) Ahead() (ahead time.Duration, known bool) {
	return c.wall().Round(0).Sub(c.Now()), c.Known()
}

// then is the time at a moment of this process.
func (r *sample) then(moment time.Time) time.Time { return r.at.Add(moment.Sub(r.heard)) }

// wrongAt is by how much then may be wrong.
func (r *sample) wrongAt(moment time.Time) time.Duration {
	return r.wrong + moment.Sub(r.heard).Abs()/driftShare
}

// A Pinger says what the store's clock says; see storage.Connection.
type Pinger interface {
	Ping(ctx context.Context) (time.Time, error)
}

// Ask asks the store, and takes its time. The error is the store's.
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

// IsStores reports whether the store has a clock of its own, as far as is known.
func (c *Clock) IsStores() bool { return !c.last.Load().own }

// take goes by a new sample from now on, unless the one there is tells more, or the new one is hard to believe.
func (c *Clock) take(next *sample) {
	c.mu.Lock()
	defer c.mu.Unlock()
	last := c.last.Load()
	jump := next.at.Sub(last.then(next.heard).Add(c.missed(last)))
	switch {
	case !last.known:
		c.last.Store(next)
	case jump.Abs() <= next.wrong+last.wrongAt(next.heard): // both may be right
		c.doubt = sample{}
		if next.wrong <= last.wrongAt(next.heard) {
			c.last.Store(next)
		}
	case c.believes(next, jump):
		c.doubt = sample{}
		c.last.Store(next)
		if jump.Abs() > SmallOffset {
			c.log.Warn("the time that sessions go by has jumped; idle time-outs stand still over it",
				"by", jump.String(), "clock", clockName(next.own))
		}
	}
	c.tell(next)
}

// believes reports whether a jump is taken over now.
func (c *Clock) believes(next *sample, jump time.Duration) bool {
	if jump.Abs() <= farJump {
		return true
	}
	if !next.own && c.wall().Round(0).Sub(next.then(time.Now())).Abs() < time.Minute {
		return true // it was our own time that stood still
	}
	again := c.doubt.known && next.at.Sub(c.doubt.then(next.heard)).Abs() <= SmallOffset+next.wrong+c.doubt.wrong
	if !again {
		c.doubt = *next
		c.log.Warn("the time that sessions go by should jump far; it does when that has stood for a while",
			"by", jump.String(), "after", jumpPatience.String(), "clock", clockName(next.own))
	}
	return next.heard.Sub(c.doubt.heard) >= jumpPatience
}

func clockName(own bool) string {
	if own {
		return "this machine's"
	}
	return "the session store's"
}

// tell logs that this machine's clock is off, and when that has changed.
func (c *Clock) tell(r *sample) {
	if r.own {
		if c.shared && !c.mute {
			c.mute = true
			c.log.Warn("the session store does not tell its time, so that this replica goes by its own clock; " +
				"allow its user the command TIME")
		}
		return
	}
	ahead, _ := c.Ahead()
	switch off := ahead.Abs() > SmallOffset+r.wrong; {
	case off && (c.told == 0 || (ahead-c.told).Abs() > SmallOffset+c.told.Abs()/10):
		c.told = ahead
		c.log.Warn("this machine's clock differs from the session store's, which is gone by; set both by NTP", "ahead", ahead.String())
	case c.told != 0 && ahead.Abs() < SmallOffset/2:
		c.told = 0
		c.log.Info("this machine's clock agrees with the session store's again")
	}
}
