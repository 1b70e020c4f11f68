// Package local is what one process knows of sessions without asking the store: a Cache of opened
// sessions, Tombstones of ended ones, an IdleClock that knows when idle time-outs stood still, and
// a Follower of the store's change feed.
//
// All of it is bounded, and none of it is authoritative: what was forgotten costs a call of the
// store. Its weak point is that without a change feed this process learns late of what others do.
//
// The package knows neither tickets nor records: its user chooses the types of sessions, names and
// reasons.
package local

import (
	"math"
	"sync"
	"time"

	"github.com/hashicorp/golang-lru/v2/simplelru"
	"github.com/prometheus/client_golang/prometheus"
)

const (
	// perCached is an entry's own memory, beside its record: list, map and session.
	perCached = 1 << 10
	maxCached = math.MaxInt32 // entries; Memory is the limit that matters
)

// A Cache keeps opened sessions, S, by their names, N. It serves an entry for MaxAge since the
// store was last known to agree with it: since it was read or, if the store has a change feed,
// since the feed last proved that it had delivered all changes.
//
// Whoever ends or changes a session drops it from the Cache. A reader that asked the store before
// the drop must not put its old answer back after it; so every reader announces itself with Expect.
// A Cache is safe for concurrent use.
type Cache[N comparable, S any] struct {
	o CacheOptions

	hits, misses, invalidations func() // counters

	mu      sync.Mutex // guards the fields below; never held across I/O
	held    *simplelru.LRU[N, cached[S]]
	bytes   int
	reading map[N]*reading // names that are being read
	up      bool           // whether the feed works
	// era is increased when the feed comes up and when it breaks: entries of another era may have
	// missed changes.
	era    int
	proven time.Time // all changes before this moment have been heard
}

// CacheOptions are what a Cache needs.
type CacheOptions struct {
	MaxAge  time.Duration         // how old an entry may be when it is served; 0: nothing is kept
	Memory  int                   // limit in bytes for all entries together
	Grace   time.Duration         // how old an entry may be during an outage; 0: none is served then
	Feed    bool                  // whether there is a change feed
	Metrics prometheus.Registerer // nil: not registered
}

type cached[S any] struct {
	session S
	version uint64
	asOf    time.Time // the moment before the store was asked
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

// LastResort returns an entry of at most Grace before now, for use while the store does not answer;
// or the zero value.
func (c *Cache[N, S]) LastResort(name N, now time.Time) (held S) {
	c.mu.Lock()
	defer c.mu.Unlock()
	found, ok := c.held.Peek(name)
	if !ok || now.Sub(c.agreed(found)) >= c.o.Grace {
		return held
	}
	return found.session
}

// agreed is when the store was last known to agree with an entry. For an entry from before the feed
// broke, that is when it was read.
func (c *Cache[N, S]) agreed(found cached[S]) time.Time {
	if c.o.Feed && c.up && found.era == c.era && c.proven.After(found.asOf) {
		return c.proven
	}
	return found.asOf
}

// Drop removes a session, and makes all readers that are reading it discard their answers.
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

// Changed removes a session if it is older than a version.
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

// Replace replaces a session that is held with a copy that has later times. The age of the entry
// does not change, because the store was not asked for the rest of it.
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
	c.bytes += found.size // Remove subtracts it
	c.held.Remove(name)
	found.session = by(found.session)
	c.held.Add(name, found)
}

// Proven says that all changes before a moment were heard. When the feed comes up, entries from
// before become stale.
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

// Broken says that the feed is broken, and reports whether it worked until now.
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

// Size returns the number of entries, and the memory that they take.
func (c *Cache[N, S]) Size() (entries, bytes int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.held.Len(), c.bytes
}

// IsUp reports whether the feed works.
func (c *Cache[N, S]) IsUp() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.up
}
