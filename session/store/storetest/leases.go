package storetest

import (
	"fmt"
	"sync/atomic"
	"time"
)

// leaseTests are about leases in one process.
var leaseTests = []test{
	{"a lease has one holder until it is released", func(b *bench) {
		b.acquires("renew", "one", time.Hour, true)
		b.acquires("renew", "two", time.Hour, false)
		b.acquires("another", "two", time.Hour, true)
		b.ok("release what another has", b.store.Leases.Release(b.ctx, "renew", "two"))
		b.acquires("renew", "two", time.Hour, false)
		b.ok("release", b.store.Leases.Release(b.ctx, "renew", "one"))
		b.ok("release again", b.store.Leases.Release(b.ctx, "renew", "one"))
		b.acquires("renew", "two", time.Hour, true)
	}},
	{"a lease whose holder died expires", func(b *bench) {
		b.acquires("renew", "dead", 300*time.Millisecond, true)
		b.acquires("renew", "next", time.Hour, false)
		time.Sleep(400 * time.Millisecond)
		b.acquires("renew", "next", time.Hour, true)
		b.ok("release by the former holder", b.store.Leases.Release(b.ctx, "renew", "dead"))
		b.acquires("renew", "third", time.Hour, false)
	}},
	{"of many concurrent callers exactly one gets a lease", func(b *bench) {
		for i := range rounds {
			var holders atomic.Int32
			b.concurrently(func(n int) {
				key, holder := fmt.Sprintf("lease-%d", i), fmt.Sprintf("holder-%d", n)
				got, err := b.store.Leases.Acquire(b.ctx, key, holder, time.Hour)
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
