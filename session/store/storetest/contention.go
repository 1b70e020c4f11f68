package storetest

import (
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/cloakroom/cloakroom/session/storage"
)

const (
	concurrency = 16
	rounds      = 20
)

// contentionTests are about concurrent callers.
var contentionTests = []test{
	{"of many updates at one version exactly one wins", func(b *bench) {
		for range rounds {
			e := b.create(b.entry())
			var won atomic.Int32
			var winner atomic.Value
			b.concurrently(func(i int) {
				mine := e
				mine.Sealed = fmt.Appendf(nil, "writer %d", i)
				switch err := b.store.Records.Update(b.ctx, mine); {
				case err == nil:
					won.Add(1)
					winner.Store(string(mine.Sealed))
				case !errors.Is(err, storage.ErrConflict):
					b.Errorf("update: %v, want a conflict", err)
				}
			})
			if won.Load() != 1 {
				b.Fatalf("%d updates of version 1 were taken, want 1", won.Load())
			}
			if got := b.load(e.Name); got.Version != 2 || string(got.Sealed) != winner.Load() {
				b.Errorf("record = version %d %q, want version 2 %q", got.Version, got.Sealed, winner.Load())
			}
		}
	}},
	{"of many creations under one name exactly one wins", func(b *bench) {
		for range rounds {
			e := b.entry()
			var won atomic.Int32
			b.concurrently(func(int) {
				switch err := b.store.Records.Create(b.ctx, e); {
				case err == nil:
					won.Add(1)
				case !errors.Is(err, storage.ErrExists):
					b.Errorf("create: %v, want that it exists", err)
				}
			})
			if won.Load() != 1 {
				b.Fatalf("%d creations of one name, want 1", won.Load())
			}
		}
	}},
	{"of many ends exactly one is told that it ended the record", func(b *bench) {
		for range rounds {
			e := b.create(b.entry())
			var won atomic.Int32
			b.concurrently(func(i int) {
				if i%2 == 0 {
					ended, err := b.store.Records.EndExpired(b.ctx, "expired", e.ExpiresAt, 1)
					if err != nil {
						b.Errorf("end expired: %v", err)
					}
					won.Add(int32(len(ended)))
					return
				}
				switch err := b.store.Records.End(b.ctx, e.Name, "logout", b.now); {
				case err == nil:
					won.Add(1)
				case !errors.Is(err, storage.ErrNotFound):
					b.Errorf("end: %v, want not found", err)
				}
			})
			if won.Load() != 1 {
				b.Fatalf("%d ends of one record, want 1", won.Load())
			}
		}
	}},
	// A logout during a renewal wins, and the newest tokens are revoked.
	{"a record that ends between updates never comes back, and the outbox has its newest bytes", func(b *bench) {
		for range rounds {
			e := b.create(b.entry())
			var lastWritten atomic.Value
			lastWritten.Store(string(e.Sealed))
			b.concurrently(func(i int) {
				switch {
				case i == 0:
					b.want("end", b.store.Records.End(b.ctx, e.Name, "logout", b.now), nil)
				case i == 1:
					for v := uint64(1); ; v++ {
						mine := e
						mine.Version, mine.Sealed = v, fmt.Appendf(nil, "version %d", v+1)
						if err := b.store.Records.Update(b.ctx, mine); err != nil {
							b.want("update after the end", err, storage.ErrNotFound)
							return
						}
						lastWritten.Store(string(mine.Sealed))
					}
				default:
					active := b.now.Add(time.Duration(i) * time.Second)
					err := b.store.Records.Touch(b.ctx, e.Name, active, e.IdleExpires)
					if err != nil && !errors.Is(err, storage.ErrNotFound) {
						b.Errorf("touch: %v", err)
					}
				}
			})
			_, err := b.store.Records.Load(b.ctx, e.Name)
			b.want("load", err, storage.ErrNotFound)
			if r := b.due()[e.Name]; string(r.Sealed) != lastWritten.Load() {
				b.Errorf("outbox has %q, want the last that was written, %q", r.Sealed, lastWritten.Load())
			}
		}
	}},
	// If an index misses a session, ending all sessions of its user does not end it.
	{"a record is found once it is created or has a new key, despite concurrent Finds", func(b *bench) {
		const key, later = "all of one user", "a key that comes later"
		other := b.entry()
		other.Indices = []string{key, later}
		b.create(other)
		for range 5 * rounds {
			e := b.entry()
			e.Indices = []string{key}
			b.concurrently(func(i int) {
				if i == 0 {
					b.want("create", b.store.Records.Create(b.ctx, e), nil)
					e.Indices = []string{key, later}
					b.want("update", b.store.Records.Update(b.ctx, e), nil)
					return
				}
				for _, k := range []string{key, later} {
					if _, err := b.store.Finder.Find(b.ctx, k); err != nil {
						b.Errorf("find: %v", err)
					}
				}
			})
			for _, k := range e.Indices {
				if !slices.Contains(find(b, k), e.Name) {
					b.Fatalf("the record is not found by %q", k)
				}
			}
			b.ok("end", b.store.Records.End(b.ctx, e.Name, "logout", b.now))
		}
	}},
	{"many leases never hand out one item twice", func(b *bench) {
		const items = 200
		for i := range items {
			b.ok("enqueue", b.store.Outbox.Enqueue(b.ctx, b.item(fmt.Sprintf("item-%d", i), b.now)))
		}
		var mu sync.Mutex
		holders := map[string]int{}
		b.concurrently(func(int) {
			for {
				leased, err := b.store.Outbox.Lease(b.ctx, b.now, time.Hour, 7)
				if err != nil {
					b.Errorf("lease: %v", err)
				}
				if len(leased) == 0 || err != nil {
					return
				}
				mu.Lock()
				for _, r := range leased {
					holders[r.ID]++
				}
				mu.Unlock()
			}
		})
		for id, n := range holders {
			if n != 1 {
				b.Errorf("%s was leased %d times at once", id, n)
			}
		}
		if len(holders) != items {
			b.Errorf("leased %d items, want %d", len(holders), items)
		}
	}},
	{"of many marks of one key exactly one is new", func(b *bench) {
		for i := range rounds {
			var fresh atomic.Int32
			b.concurrently(func(int) {
				marked, err := b.store.Marks.MarkOnce(b.ctx, fmt.Sprintf("jti-%d", i), time.Now().Add(time.Hour))
				if err != nil {
					b.Errorf("mark: %v", err)
				}
				if marked {
					fresh.Add(1)
				}
			})
			if fresh.Load() != 1 {
				b.Fatalf("%d marks of one key were new, want 1", fresh.Load())
			}
		}
	}},
}

// concurrently calls fn in goroutines that start together.
func (b *bench) concurrently(fn func(i int)) {
	start := make(chan struct{})
	var all sync.WaitGroup
	for i := range concurrency {
		all.Go(func() {
			<-start
			fn(i)
		})
	}
	close(start)
	all.Wait()
}
