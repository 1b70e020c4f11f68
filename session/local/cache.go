// Package local is what one process knows of sessions without asking the store: a Cache of opened
// sessions, Tombstones of ended ones, the time that idle time-outs stood still, and a Follower of the
// store's change feed.
//
// All of it is bounded, and none is the truth: what was forgotten costs a question to the store. Its weak
// point is that without a change feed this process learns late of what others do.
//
// It knows neither tickets nor records: sessions, their names and the reasons that they end for are its
// user's types.
package local

import (
	"math"
	"sync"
	"time"

	"github.com/hashicorp/golang-lru/v2/simplelru"
	"github.com/prometheus/client_golang/prometheus"
)

const (
	// perCached is what an entry takes beside its record: the list and map it is in, and the session.
	perCached = 1 << 10
	maxCached = math.MaxInt32 // entries; memory is the bound
)

// A Cache keeps opened sessions, S, by their names, N. One is served for MaxAge since the store was last
// known to agree with it: since it was read or, where the store has a change feed, since the feed last
// proved that it is behind nothing.
//
// What ends or changes a session drops it here; a reader who asked the store before that must not put its
// old answer back after it, so whoever reads says so beforehand with Expect. It is safe for concurrent use.
type Cache[N comparable, S any] struct {
	o CacheOptions

	hits, misses, invalidations func() // counters

	mu      sync.Mutex // guards what follows; never held across I/O
	held    *simplelru.LRU[N, cached[S]]
	bytes   int
	reading map[N]*reading // only names that somebody reads just now
	up      bool           // whether the feed stands
	era     int            // how often it came up; what was read in another era may have changed unheard
	proven  time.Time      // what was done before this was heard
}

// CacheOptions are what a Cache needs.
type CacheOptions struct {
	MaxAge  time.Duration         // how old what is served may be; 0: nothing is kept
	Memory  int                   // bytes that opened sessions may take together
	Grace   time.Duration         // how long what is kept may be served while the store can't be asked; 0: not at all
	Feed    bool                  // whether there is a change feed to go by
	Metrics prometheus.Registerer // nil: not registered
}

type cached[S any] struct {
	session S
	version uint64
	asOf    time.Time // before the store was asked
	size    int
	era     int // when it was read; -1 while the feed was down
}

// NewCache makes an empty Cache.
func NewCache[N comparable, S any](o CacheOptions) *Cache[N, S] {
	c := &Cache[N, S]{o: o, reading: make(map[N]*reading)}
	c.hits, c.misses, c.invalidations = func() {}, func() {}, func() {}
	held, err := simplelru.NewLRU(maxCached, func(_ N, old cached[S]) { c.bytes -= old.size })
	if err != nil {
		panic("local: " + err.Error()) // the size is positive
	}
	c.held = held
	if o.Metrics != nil {
		c.register(o.Metrics)
	}
	return c
}

// Get returns a session that the store agreed with at most MaxAge before now, or the zero value.
func (c *Cache[N, S]) Get(name N, now time.Time) (held S) {
	if c.o.MaxAge == 0 {
		return held
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	found, ok := c.held.Get(name)
	if !ok || c.stale(found, now) {
		c.misses()
		return held
	}
	c.hits()
	return found.session
}

func (c *Cache[N, S]) stale(found cached[S], now time.Time) bool {
	asOf := found.asOf
	if c.o.Feed {
		if !c.up || found.era != c.era {
			return true
		}
		if c.proven.After(asOf) {
			asOf = c.proven
		}
	}
	return now.Sub(asOf) >= c.o.MaxAge
}

// LastResort returns what was read at most Grace before now, for want of a store that answers; or the zero value.
func (c *Cache[N, S]) LastResort(name N, now time.Time) (held S) {
	c.mu.Lock()
	defer c.mu.Unlock()
	found, ok := c.held.Peek(name)
	if !ok || now.Sub(c.agreed(found)) >= c.o.Grace {
		return held
	}
	return found.session
}

// agreed is when the store was last known to agree with an entry: of what was read before the feed broke,
// the moment that it was read.
func (c *Cache[N, S]) agreed(found cached[S]) time.Time {
	if c.o.Feed && c.up && found.era == c.era && c.proven.After(found.asOf) {
		return c.proven
	}
	return found.asOf
}

// Drop forgets a session, and has everybody who reads it just now not keep what they read.
func (c *Cache[N, S]) Drop(name N) {
	if c.o.MaxAge == 0 {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.held.Remove(name) {
		c.invalidations()
	}
	if r := c.reading[name]; r != nil {
		r.drops++
	}
}

// Changed forgets a session that is older than a version.
func (c *Cache[N, S]) Changed(name N, version uint64) {
	if c.o.MaxAge == 0 {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if found, ok := c.held.Peek(name); ok && found.version < version {
		c.held.Remove(name)
		c.invalidations()
	}
	if r := c.reading[name]; r != nil {
		r.newest = max(r.newest, version)
	}
}

// Replace puts another copy in the place of a session that is held: one with later times. How old the entry
// is does not change: the store was not asked for the rest of it.
func (c *Cache[N, S]) Replace(name N, by func(S) S) {
	if c.o.MaxAge == 0 {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	found, ok := c.held.Peek(name)
	if !ok {
		return
	}
	c.bytes += found.size // Remove takes it off
	c.held.Remove(name)
	found.session = by(found.session)
	c.held.Add(name, found)
}

// Proven says that whatever was done before a moment was heard. The first time since the feed was down, what
// is held from before counts for nothing.
func (c *Cache[N, S]) Proven(moment time.Time) (cameUp bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.up {
		c.up, cameUp = true, true
		c.era++
	}
	if moment.After(c.proven) {
		c.proven = moment
	}
	return cameUp
}

// Broken says that changes are not heard any more, and reports whether they were until now.
func (c *Cache[N, S]) Broken() (wentDown bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	wentDown, c.up = c.up, false
	c.era++
	if c.o.Grace == 0 {
		c.held.Purge()
	}
	return wentDown
}

// Size is how many entries are held, and what they take.
func (c *Cache[N, S]) Size() (entries, bytes int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.held.Len(), c.bytes
}

// IsUp reports whether the feed stands.
func (c *Cache[N, S]) IsUp() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.up
}
