package liveness

import (
	"sync"
	"time"
)

const (
	// gracePeriod is how long a process may be without its connection before it counts as dead.
	gracePeriod = 2 * time.Second
	// gracesPerLease bounds the grace period to a fraction of the lease's ttl.
	gracesPerLease = 3
	// staleCheck is the age at which the last check of a process is too old to count.
	staleCheck = 5 * time.Second
)

// A Detector is a failure detector: it tells a process that has died from one whose connection is
// down for a moment, such as one that was frozen, wakes up and reconnects. The zero value is ready
// to use. It is safe for concurrent use.
type Detector[P comparable] struct {
	mu   sync.Mutex // guards seen
	seen map[P]absence
}

// An absence is a series of checks in which a process was not listening.
type absence struct{ first, last time.Time }

// Gone records whether a process is listening now, and reports whether it is dead. A process is
// dead once it was not listening in any check for two seconds, or for a third of ttl if that is
// shorter; ttl is that of the lease in question. A pause of five seconds between checks starts the
// count again.
func (d *Detector[P]) Gone(process P, listens bool, ttl time.Duration) bool {
	now := time.Now()
	d.mu.Lock()
	defer d.mu.Unlock()
	for p, s := range d.seen {
		if now.Sub(s.last) > staleCheck {
			delete(d.seen, p)
		}
	}
	if listens {
		delete(d.seen, process)
		return false
	}
	s, known := d.seen[process]
	if !known {
		s.first = now
	}
	s.last = now
	if d.seen == nil {
		d.seen = map[P]absence{}
	}
	d.seen[process] = s
	return now.Sub(s.first) >= min(gracePeriod, ttl/gracesPerLease)
}
