package local

import "time"

// reading is what happened to a name since the first of its present readers began.
type reading struct {
	readers int
	drops   int
	newest  uint64 // version that the feed has announced
}

// A Reading is one read of a session from the store; see Cache.Expect.
type Reading[N comparable, S any] struct {
	c      *Cache[N, S]
	name   N
	shared *reading // nil: the Cache keeps nothing
	began  time.Time
	drops  int // of the name, before the read began
	era    int
}

// Expect announces that the store is about to be asked for name. Put keeps the answer. Forget must
// be called at the end, whether or not there was an answer.
func (c *Cache[N, S]) Expect(name N, now time.Time) Reading[N, S] {
	if c.o.MaxAge == 0 {
		return Reading[N, S]{}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	r := c.reading[name]
	if r == nil {
		r = &reading{}
		c.reading[name] = r
	}
	r.readers++
	era := -1
	if c.up || !c.o.Feed {
		era = c.era
	}
	return Reading[N, S]{c: c, name: name, shared: r, began: now, drops: r.drops, era: era}
}

// Put keeps the answer, with its version and its size in bytes, unless the name was dropped since
// Expect or is known to have a newer version.
func (r Reading[N, S]) Put(s S, version uint64, size int) {
	if r.shared == nil {
		return
	}
	r.c.mu.Lock()
	defer r.c.mu.Unlock()
	if r.shared.drops == r.drops && version >= r.shared.newest {
		fresh := cached[S]{
			session: s, version: version, asOf: r.began, size: size + perCached, era: r.era,
		}
		r.c.keep(r.name, fresh)
	}
}

// Forget ends the read.
func (r Reading[N, S]) Forget() {
	if r.shared == nil {
		return
	}
	r.c.mu.Lock()
	defer r.c.mu.Unlock()
	if r.shared.readers--; r.shared.readers == 0 {
		delete(r.c.reading, r.name)
	}
}

// keep adds an entry. It evicts others if there is too little memory, and those that may not be
// served any more.
func (c *Cache[N, S]) keep(name N, fresh cached[S]) {
	if fresh.era != c.era && c.o.Grace == 0 {
		return
	}
	if old, ok := c.held.Peek(name); ok {
		if old.version > fresh.version || old.era == fresh.era && old.asOf.After(fresh.asOf) {
			return
		}
		c.held.Remove(name)
	}
	c.held.Add(name, fresh)
	c.bytes += fresh.size
	for c.held.Len() > 1 {
		_, oldest, _ := c.held.GetOldest()
		expired := c.stale(oldest, fresh.asOf) && fresh.asOf.Sub(oldest.asOf) >= c.o.Grace
		if c.bytes <= c.o.Memory && !expired {
			return
		}
		c.held.RemoveOldest()
	}
}
