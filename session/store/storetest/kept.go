package storetest

import (
	"bytes"
	"crypto/rand"
	"errors"
	"sync/atomic"
	"time"

	"github.com/cloakroom/cloakroom/session/storage"
)

// keptTests are about values that are taken once, such as the address that a logout continues to.
var keptTests = []test{
	{"a kept value is taken once, unchanged", func(b *bench) {
		sealed := make([]byte, 10_000)
		rand.Read(sealed)
		key := rand.Text()
		b.ok("keep", b.store.Marks.Keep(b.ctx, key, sealed, time.Minute))
		b.ok("keep another", b.store.Marks.Keep(b.ctx, rand.Text(), []byte("other"), time.Minute))
		got, err := b.store.Marks.Take(b.ctx, key)
		if err != nil || !bytes.Equal(got, sealed) {
			b.Errorf("taken = %d bytes %v, want what was kept", len(got), err)
		}
		_, err = b.store.Marks.Take(b.ctx, key)
		b.want("take it again", err, storage.ErrNotFound)
	}},
	{"nothing is kept under another key", func(b *bench) {
		key := rand.Text()
		b.ok("keep", b.store.Marks.Keep(b.ctx, key, []byte("x"), time.Minute))
		for _, other := range []string{"", "kept " + key, key + " ", key[:5] + "%", "*"} {
			_, err := b.store.Marks.Take(b.ctx, other)
			b.want("take "+other, err, storage.ErrNotFound)
		}
	}},
	{"a kept value is neither a lease nor a mark", func(b *bench) {
		key := rand.Text()
		b.ok("keep", b.store.Marks.Keep(b.ctx, key, []byte("x"), time.Minute))
		b.marks(key, time.Hour, true)
		if got, err := b.store.Leases.Acquire(b.ctx, key, "me", time.Minute); !got || err != nil {
			b.Errorf("lease of the same name = %v %v, want it", got, err)
		}
		b.ok("release", b.store.Leases.Release(b.ctx, key, "me"))
		if _, err := b.store.Marks.Take(b.ctx, key); err != nil {
			b.Errorf("take: %v", err)
		}
	}},
	{"a kept value expires, and a sweep does not remove it earlier", func(b *bench) {
		short, long := rand.Text(), rand.Text()
		b.ok("keep", b.store.Marks.Keep(b.ctx, short, []byte("x"), 50*time.Millisecond))
		b.ok("keep", b.store.Marks.Keep(b.ctx, long, []byte("x"), time.Minute))
		time.Sleep(100 * time.Millisecond)
		_, err := b.store.Marks.Take(b.ctx, short)
		b.want("take after its time", err, storage.ErrNotFound)
		if _, err := b.store.Records.EndExpired(b.ctx, "expired", time.Now(), 10); err != nil {
			b.Fatalf("sweep: %v", err)
		}
		if _, err := b.store.Marks.Take(b.ctx, long); err != nil {
			b.Errorf("take after a sweep: %v", err)
		}
	}},
	{"of many concurrent takers exactly one gets the value", func(b *bench) {
		for range rounds {
			key := rand.Text()
			b.ok("keep", b.store.Marks.Keep(b.ctx, key, []byte("x"), time.Minute))
			var got atomic.Int32
			b.concurrently(func(int) {
				switch _, err := b.store.Marks.Take(b.ctx, key); {
				case err == nil:
					got.Add(1)
				case !errors.Is(err, storage.ErrNotFound):
					b.Errorf("take: %v, want not found", err)
				}
			})
			if got.Load() != 1 {
				b.Fatalf("%d of %d got it, want 1", got.Load(), concurrency)
			}
		}
	}},
}
