package session

import (
	"sync"
	"time"

	"github.com/hashicorp/golang-lru/v2/simplelru"
)

const (
	maxCached      = 10_000   // sessions
	maxCachedBytes = 32 << 20 // of sealed records, which opened ones are close to
)

// A cache keeps opened sessions for as long as they may be stale. What ends or changes a session drops
// it here; a reader who asked the store before that must not put its old answer back after it, so
// whoever reads says so beforehand with expect.
type cache struct {
	maxAge time.Duration // 0: nothing is kept

	mu      sync.Mutex // guards what follows; never held across I/O
	held    *simplelru.LRU[Name, cached]
	bytes   int
	reading map[Name]*reading // only names that somebody reads just now
}

type cached struct {
	session *Session
	asOf    time.Time // before the store was asked
	size    int
}

// reading counts who reads a name, and how often it was dropped since the first of them began.
type reading struct {
	readers int
	drops   int
}

func newCache(maxAge time.Duration) *cache {
	c := &cache{maxAge: maxAge, reading: make(map[Name]*reading)}
	held, err := simplelru.NewLRU(maxCached, func(_ Name, old cached) { c.bytes -= old.size })
	if err != nil {
		panic("session: " + err.Error()) // the size is positive
	}
	c.held = held
	return c
}

// get returns a session that was read at most maxAge before now, or nil.
func (c *cache) get(name Name, now time.Time) *Session {
	if c.maxAge == 0 {
		return nil
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	found, ok := c.held.Get(name)
	if !ok || c.stale(found, now) {
		return nil
	}
	return found.session
}

func (c *cache) stale(found cached, now time.Time) bool { return now.Sub(found.asOf) >= c.maxAge }

// expect announces that the store is about to be asked for name. put keeps the answer, unless the name
// was dropped since; forget must be called at the end, whether or not there was an answer.
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
	before := r.drops
	put = func(s *Session, size int) {
		c.mu.Lock()
		defer c.mu.Unlock()
		if r.drops == before {
			c.keep(cached{session: s, asOf: now, size: size})
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
	if old, ok := c.held.Peek(fresh.session.Name); ok {
		if old.session.Version > fresh.session.Version || old.asOf.After(fresh.asOf) {
			return
		}
		c.held.Remove(fresh.session.Name)
	}
	c.held.Add(fresh.session.Name, fresh)
	c.bytes += fresh.size
	for c.held.Len() > 1 {
		_, oldest, _ := c.held.GetOldest()
		if c.bytes <= maxCachedBytes && !c.stale(oldest, fresh.asOf) {
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
	c.held.Remove(name)
	if r := c.reading[name]; r != nil {
		r.drops++
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
