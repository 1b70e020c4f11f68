package storetest

import (
	"fmt"
	"sync/atomic"
	"time"
)

// leaseTests are about doing something alone for a while.
var leaseTests = []test{
	{"a lease is one holder's until it is released", func(b *bench) {
		b.acquires("renew", "one", time.Hour, true)
		b.acquires("renew", "two", time.Hour, false)
		b.acquires("another", "two", time.Hour, true)
		b.ok("release what another has", b.store.Leases.Release(b.ctx, "renew", "two"))
		b.acquires("renew", "two", time.Hour, false)
		b.ok("release", b.store.Leases.Release(b.ctx, "renew", "one"))
		b.ok("release again", b.store.Leases.Release(b.ctx, "renew", "one"))
		b.acquires("renew", "two", time.Hour, true)
	}},
	{"a lease whose holder died is over after its time", func(b *bench) {
		b.acquires("renew", "dead", 300*time.Millisecond, true)
		b.acquires("renew", "next", time.Hour, false)
		time.Sleep(400 * time.Millisecond)
		b.acquires("renew", "next", time.Hour, true)
		b.ok("release by the one who woke", b.store.Leases.Release(b.ctx, "renew", "dead"))
		b.acquires("renew", "third", time.Hour, false)
	}},
	{"of many who want a lease exactly one gets it", func(b *bench) {
		for i := range rounds {
			var holders atomic.Int32
			b.together(func(n int) {
				got, err := b.store.Leases.Acquire(b.ctx, fmt.Sprintf("lease-%d", i), fmt.Sprintf("holder-%d", n), time.Hour)
				if err != nil {
					b.Errorf("acquire: %v", err)
				}
				if got {
					holders.Add(1)
				}
			})
			if holders.Load() != 1 {
				b.Fatalf("%d hold one lease, want 1", holders.Load())
			}
		}
	}},
}

func (b *bench) acquires(key, holder string, ttl time.Duration, want bool) {
	b.Helper()
	got, err := b.store.Leases.Acquire(b.ctx, key, holder, ttl)
	b.ok("acquire", err)
	if got != want {
		b.Errorf("%s acquires %s = %v, want %v", holder, key, got, want)
	}
}
