package liveness

import (
	"sync"
	"time"
)

const (
	// longestDoubt is how long a process may be without its connection at most before it is taken for dead.
	longestDoubt = 2 * time.Second
	// doubtsPerLease is how many of these a lease is longer than, at least.
	doubtsPerLease = 3
	// staleLook is when the last look at a process is too old to say anything of the time in between.
	staleLook = 5 * time.Second
)

// A Detector tells a process that has died from one whose connection is broken for a moment, as it is when the process wakes from
// having been frozen and connects anew. The zero value is ready, and safe for concurrent use.
type Detector[P comparable] struct {
	mu   sync.Mutex // guards seen
	seen map[P]absence
}

// An absence is between two looks at a process that did not listen.
type absence struct{ first, last time.Time }

// Gone notes whether a process listens just now, and reports whether it is dead: who looked in the last seconds has not
// seen it listening for two of them, or a third of the ttl of the lease in question if that is shorter.
func (a *Detector[P]) Gone(process P, listens bool, ttl time.Duration) bool {
	now := time.Now()
	a.mu.Lock()
	defer a.mu.Unlock()
	for p, s := range a.seen {
		if now.Sub(s.last) > staleLook {
			delete(a.seen, p)
		}
	}
	if listens {
		delete(a.seen, process)
		return false
	}
	s, known := a.seen[process]
	if !known {
		s.first = now
	}
	s.last = now
	if a.seen == nil {
		a.seen = map[P]absence{}
	}
	a.seen[process] = s
	return now.Sub(s.first) >= min(longestDoubt, ttl/doubtsPerLease)
}
