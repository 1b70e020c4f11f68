package session

import (
	"math"
	"sync"
	"time"

	"github.com/hashicorp/golang-lru/v2/simplelru"
)

const (
	defaultCacheMemory = 64 << 20
	// perCached is what an entry takes beside its record: the list and map it is in, and the Session.
	perCached = 1 << 10
	maxCached = math.MaxInt32 // entries; memory is the bound
)

// A cache keeps opened sessions. One is served for maxAge since the store was last known to agree with
// it: since it was read or, where the store has a line that tells of changes, since the line last proved
// that it is behind nothing.
//
// What ends or changes a session drops it here; a reader who asked the store before that must not put its
// old answer back after it, so whoever reads says so beforehand with expect.
type cache struct {
	maxAge time.Duration // 0: nothing is kept
	memory int           // bytes that opened records may take together
	grace  time.Duration // how long what is kept may be served while the store can't be asked; 0: not at all
	lined  bool          // whether there is a line to go by

	hits, misses, invalidations func() // counters

	mu      sync.Mutex // guards what follows; never held across I/O
	held    *simplelru.LRU[Name, cached]
	bytes   int
	reading map[Name]*reading // only names that somebody reads just now
	up      bool              // whether the line stands
	era     int               // how often it came up; what was read in another era may have changed unheard
	proven  time.Time         // what was done before this was heard
}

type cached struct {
	session *Session
	asOf    time.Time // before the store was asked
	size    int
	era     int // when it was read; -1 while the line was down
}

// reading is what happened to a name since the first of those who read it began.
type reading struct {
	readers int
	drops   int
	newest  uint64 // version that the line told of
}

func newCache(maxAge time.Duration, memory int, lined bool) *cache {
	c := &cache{maxAge: maxAge, memory: memory, lined: lined, reading: make(map[Name]*reading)}
	c.hits, c.misses, c.invalidations = func() {}, func() {}, func() {}
	held, err := simplelru.NewLRU(maxCached, func(_ Name, old cached) { c.bytes -= old.size })
	if err != nil {
		panic("session: " + err.Error()) // the size is positive
	}
	c.held = held
	return c
}

// get returns a session that the store agreed with at most maxAge before now, or nil.
func (c *cache) get(name Name, now time.Time) *Session {
	if c.maxAge == 0 {
		return nil
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	found, ok := c.held.Get(name)
	if !ok || c.stale(found, now) {
		c.misses()
		return nil
	}
	c.hits()
	return found.session
}

func (c *cache) stale(found cached, now time.Time) bool {
	asOf := found.asOf
	if c.lined {
		if !c.up || found.era != c.era {
			return true
		}
		if c.proven.After(asOf) {
			asOf = c.proven
		}
	}
	return now.Sub(asOf) >= c.maxAge
}

// lastResort returns what was read at most grace before now, for want of a store that answers.
func (c *cache) lastResort(name Name, now time.Time) *Session {
	c.mu.Lock()
	defer c.mu.Unlock()
	found, ok := c.held.Peek(name)
	if !ok || now.Sub(c.agreed(found)) >= c.grace {
		return nil
	}
	return found.session
}

// agreed is when the store was last known to agree with an entry: of what was read before the line broke,
// the moment that it was read.
func (c *cache) agreed(found cached) time.Time {
	if c.lined && c.up && found.era == c.era && c.proven.After(found.asOf) {
		return c.proven
	}
	return found.asOf
}

// expect announces that the store is about to be asked for name. put keeps the answer, unless the name
// was dropped since or is known to have a newer version; forget must be called at the end, whether or not
// there was an answer.
func (c *cache) expect(name Name, now time.Time) (put func(s *Session, size int), forget func()) {
	if c.maxAge == 0 {
		return func(*Session, int) {}, func() {}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	r := c.reading[name]
	if r == nil {
		r = &reading{}
		c.reading[name] = r
	}
	r.readers++
	before, era := r.drops, -1
	if c.up || !c.lined {
		era = c.era
	}
	put = func(s *Session, size int) {
		c.mu.Lock()
		defer c.mu.Unlock()
		if r.drops == before && s.Version >= r.newest {
			c.keep(cached{session: s, asOf: now, size: size + perCached, era: era})
		}
	}
	forget = func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		if r.readers--; r.readers == 0 {
			delete(c.reading, name)
		}
	}
	return put, forget
}

// keep adds an entry and makes room: for it, and by letting go of what nobody may be served any more.
func (c *cache) keep(fresh cached) {
	if fresh.era != c.era && c.grace == 0 {
		return
	}
	if old, ok := c.held.Peek(fresh.session.Name); ok {
		if old.session.Version > fresh.session.Version || old.era == fresh.era && old.asOf.After(fresh.asOf) {
			return
		}
		c.held.Remove(fresh.session.Name)
	}
	c.held.Add(fresh.session.Name, fresh)
	c.bytes += fresh.size
	for c.held.Len() > 1 {
		_, oldest, _ := c.held.GetOldest()
		if c.bytes <= c.memory && (!c.stale(oldest, fresh.asOf) || fresh.asOf.Sub(oldest.asOf) < c.grace) {
			return
		}
		c.held.RemoveOldest()
	}
}

// drop forgets a session, and has everybody who reads it just now not keep what they read.
func (c *cache) drop(name Name) {
	if c.maxAge == 0 {
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

// changed forgets a session that is older than a version.
func (c *cache) changed(name Name, version uint64) {
	if c.maxAge == 0 {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if found, ok := c.held.Peek(name); ok && found.session.Version < version {
		c.held.Remove(name)
		c.invalidations()
	}
	if r := c.reading[name]; r != nil {
		r.newest = max(r.newest, version)
	}
}

// active puts a copy with later times in the place of a session that is held. How old the entry is does
// not change: the store was not asked for the rest of it.
func (c *cache) active(name Name, lastActive, idleExpires time.Time) {
	if c.maxAge == 0 {
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
	found.session = found.session.activeAt(lastActive, idleExpires)
	c.held.Add(name, found)
}

// prove says that whatever was done before a moment was heard. The first time since the line was down, what
// is held from before counts for nothing.
func (c *cache) prove(moment time.Time) (cameUp bool) {
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

// broke says that changes are not heard any more.
func (c *cache) broke() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.up = false
	c.era++
	if c.grace == 0 {
		c.held.Purge()
	}
}

// size is how many entries are held, and what they take.
func (c *cache) size() (entries, bytes int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.held.Len(), c.bytes
}

// isUp reports whether the line stands.
func (c *cache) isUp() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.up
}

// activeAt is a copy of s with times moved forward, never back.
func (s *Session) activeAt(lastActive, idleExpires time.Time) *Session {
	moved := *s
	if lastActive.After(moved.LastActive) {
		moved.LastActive = lastActive
	}
	if idleExpires.After(moved.IdleExpires) {
		moved.IdleExpires = idleExpires
	}
	return &moved
}
