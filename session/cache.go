package session

import (
	"hash/maphash"
	"sync"
	"time"

	"github.com/hashicorp/golang-lru/v2/simplelru"
)

const (
	cacheShards  = 64
	cacheEntries = 20_000 // opened sessions in all; at some 4 KiB each they stay under 100 MB
)

// A cache keeps opened sessions, so that a hot one costs neither a round trip nor a decryption.
//
// Its weak point is a reader that loaded a record, was overtaken by the session's end, and puts the
// dead session back. So a reader takes the shard's epoch before it asks the store, every end moves
// the epoch on, and what was read under an old epoch is not kept.
type cache struct {
	maxAge time.Duration // 0: nothing is kept
	seed   maphash.Seed
	shards [cacheShards]cacheShard
}

type cacheShard struct {
	mu    sync.Mutex // guards all below; never held across I/O
	epoch uint64
	lru   *simplelru.LRU[Name, cached]
}

type cached struct {
	s  *Session
	at time.Time // when it was read from the store
}

func newCache(maxAge time.Duration) *cache {
	c := &cache{maxAge: maxAge, seed: maphash.MakeSeed()}
	for i := range c.shards {
		c.shards[i].lru, _ = simplelru.NewLRU[Name, cached](cacheEntries/cacheShards, nil) // errs only for sizes below 1
	}
	return c
}

func (c *cache) shard(n Name) *cacheShard {
	return &c.shards[maphash.String(c.seed, string(n))%cacheShards]
}

// get returns a session read less than maxAge ago.
func (c *cache) get(n Name, now time.Time) (*Session, bool) {
	sh := c.shard(n)
	sh.mu.Lock()
	defer sh.mu.Unlock()
	e, ok := sh.lru.Get(n)
	if !ok || now.Sub(e.at) >= c.maxAge {
		return nil, false
	}
	return e.s, true
}

// epoch is to be taken before the store is asked, and given to put.
func (c *cache) epoch(n Name) uint64 {
	sh := c.shard(n)
	sh.mu.Lock()
	defer sh.mu.Unlock()
	return sh.epoch
}

// put keeps a session, unless one of its shard ended since the epoch, or a newer version is there.
func (c *cache) put(s *Session, epoch uint64, now time.Time) {
	if c.maxAge == 0 {
		return
	}
	sh := c.shard(s.Name)
	sh.mu.Lock()
	defer sh.mu.Unlock()
	if sh.epoch != epoch {
		return
	}
	if e, ok := sh.lru.Peek(s.Name); ok && e.s.Version > s.Version {
		return
	}
	sh.lru.Add(s.Name, cached{s, now})
}

// touch replaces the kept snapshot of s by one that was last active at now. It reports false when
// another request has done so since before; a session that is not kept is touched by everyone.
func (c *cache) touch(s *Session, before, now, idleExpires time.Time) bool {
	sh := c.shard(s.Name)
	sh.mu.Lock()
	defer sh.mu.Unlock()
	e, ok := sh.lru.Peek(s.Name)
	if !ok {
		return true
	}
	if e.s.LastActive.After(before) {
		return false
	}
	next := *e.s
	next.LastActive, next.IdleExpires = now, idleExpires
	sh.lru.Add(s.Name, cached{&next, e.at})
	return true
}

// drop forgets a session that ended, and what readers under way are about to put back.
func (c *cache) drop(n Name) {
	sh := c.shard(n)
	sh.mu.Lock()
	defer sh.mu.Unlock()
	sh.epoch++
	sh.lru.Remove(n)
}
