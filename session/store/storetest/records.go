package storetest

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"time"

	"github.com/cloakroom/cloakroom/session/storage"
)

// recordTests are about the life of one record.
var recordTests = []test{
	{"a created record is read as it was written", func(b *bench) {
		e := b.create(b.entry())
		b.same(b.load(e.Name), e)
	}},
	{"a record without an idle expiry has none when it is read", func(b *bench) {
		e := b.entry()
		e.IdleExpires = time.Time{}
		b.create(e)
		b.same(b.load(e.Name), e)
	}},
	{"a created record is at version 1, whatever version the entry had", func(b *bench) {
		e := b.entry()
		e.Version = 7
		b.create(e)
		e.Version = 1
		b.same(b.load(e.Name), e)
	}},
	{"a name is taken once", func(b *bench) {
		e := b.create(b.entry())
		other := b.entry()
		other.Name = e.Name
		b.want("create under a taken name", b.store.Records.Create(b.ctx, other), storage.ErrExists)
		b.same(b.load(e.Name), e)
		if found, err := b.store.Finder.Find(b.ctx, other.Indices[0]); err != nil || len(found) != 0 {
			b.Errorf("a refused record is found: %v %v", found, err)
		}
	}},
	{"a name in the outbox is taken", func(b *bench) {
		e := b.create(b.entry())
		b.ok("end", b.store.Records.End(b.ctx, e.Name, "logout", b.now))
		b.want("create under an ended name", b.store.Records.Create(b.ctx, e), storage.ErrExists)
		_, err := b.store.Records.Load(b.ctx, e.Name)
		b.want("load", err, storage.ErrNotFound)
	}},
	{"a record that does not exist is not found", func(b *bench) {
		e := b.entry()
		_, err := b.store.Records.Load(b.ctx, e.Name)
		b.want("load", err, storage.ErrNotFound)
		b.want("update", b.store.Records.Update(b.ctx, e), storage.ErrNotFound)
		b.want("touch", b.store.Records.Touch(b.ctx, e.Name, b.now, b.now), storage.ErrNotFound)
		b.want("end", b.store.Records.End(b.ctx, e.Name, "logout", b.now), storage.ErrNotFound)
		if n, err := b.store.Finder.Count(b.ctx); n != 0 || err != nil {
			b.Errorf("count = %d %v, want 0", n, err)
		}
	}},
	{"an update at the version that was read replaces sealed bytes, indices and expiry", func(b *bench) {
		e := b.create(b.entry())
		next := e
		next.Sealed, next.ExpiresAt = []byte("sealed anew"), e.ExpiresAt.Add(-time.Minute)
		next.Indices = []string{e.Indices[0], "k-" + rand.Text()}
		// An update does not change these:
		next.LastActive, next.IdleExpires = b.now.Add(time.Hour), b.now.Add(time.Hour)
		b.ok("update", b.store.Records.Update(b.ctx, next))
		next.Version, next.LastActive, next.IdleExpires = 2, e.LastActive, e.IdleExpires
		b.same(b.load(e.Name), next)
		for key, want := range map[string]int{e.Indices[0]: 1, e.Indices[1]: 0, next.Indices[1]: 1} {
			if found, err := b.store.Finder.Find(b.ctx, key); err != nil || len(found) != want {
				b.Errorf("found under %q: %v %v, want %d", key, found, err, want)
			}
		}
	}},
	{"an update at another version changes nothing", func(b *bench) {
		e := b.create(b.entry())
		for _, version := range []uint64{0, 2} {
			stale := e
			stale.Version, stale.Sealed = version, []byte("stale")
			stale.Indices = []string{"k-" + rand.Text()}
			err := b.store.Records.Update(b.ctx, stale)
			b.want("update at another version", err, storage.ErrConflict)
			if found, err := b.store.Finder.Find(b.ctx, stale.Indices[0]); err != nil || len(found) != 0 {
				b.Errorf("a refused update is found: %v %v", found, err)
			}
		}
		b.same(b.load(e.Name), e)
	}},
	{"a touch moves times forward, never back, and leaves the version alone", func(b *bench) {
		e := b.create(b.entry())
		later, idle := b.now.Add(time.Minute), e.IdleExpires.Add(time.Minute)
		b.ok("touch", b.store.Records.Touch(b.ctx, e.Name, later, idle))
		const back = -30 * time.Second
		b.ok("touch again, late",
			b.store.Records.Touch(b.ctx, e.Name, later.Add(back), idle.Add(back)))
		b.ok("touch without idle expiry", b.store.Records.Touch(b.ctx, e.Name, later, time.Time{}))
		e.LastActive, e.IdleExpires = later, idle
		b.same(b.load(e.Name), e)
		b.ok("update at the version before the touch", b.store.Records.Update(b.ctx, e))
	}},
	{"a large record is kept whole", func(b *bench) {
		e := b.entry()
		e.Sealed = bytes.Repeat([]byte("large"), 40<<10)
		b.create(e)
		b.same(b.load(e.Name), e)
		b.ok("end", b.store.Records.End(b.ctx, e.Name, "logout", b.now))
		if r := b.due()[e.Name]; !bytes.Equal(r.Sealed, e.Sealed) {
			b.Errorf("outbox holds %d bytes of it, want %d", len(r.Sealed), len(e.Sealed))
		}
	}},
	{"the store does not share bytes with its callers", func(b *bench) {
		e := b.entry()
		e.Sealed = []byte("as written")
		b.create(e)
		copy(e.Sealed, "overwrites")
		got := b.load(e.Name)
		if string(got.Sealed) != "as written" {
			b.Errorf("sealed = %q after the caller changed its own", got.Sealed)
		}
		copy(got.Sealed, "overwrites")
		if again := b.load(e.Name); string(again.Sealed) != "as written" {
			b.Errorf("sealed = %q after a reader changed its own", again.Sealed)
		}
	}},
	{"an ended record is gone and never comes back", func(b *bench) {
		e := b.create(b.entry())
		b.ok("end", b.store.Records.End(b.ctx, e.Name, "logout", b.now))
		_, err := b.store.Records.Load(b.ctx, e.Name)
		b.want("load", err, storage.ErrNotFound)
		b.want("end again", b.store.Records.End(b.ctx, e.Name, "revoked", b.now), storage.ErrNotFound)
		b.want("update", b.store.Records.Update(b.ctx, e), storage.ErrNotFound)
		err = b.store.Records.Touch(b.ctx, e.Name, b.now.Add(time.Hour), b.now.Add(2*time.Hour))
		b.want("touch", err, storage.ErrNotFound)
		_, err = b.store.Records.Load(b.ctx, e.Name)
		b.want("load after all that", err, storage.ErrNotFound)
	}},
	{"a call whose context has ended does nothing and does not return not found", func(b *bench) {
		e := b.create(b.entry())
		ctx, cancel := context.WithCancel(b.ctx)
		cancel()
		_, loadErr := b.store.Records.Load(ctx, e.Name)
		_, missingErr := b.store.Records.Load(ctx, name())
		for act, err := range map[string]error{
			"load": loadErr, "load a missing record": missingErr,
			"create": b.store.Records.Create(ctx, b.entry()), "update": b.store.Records.Update(ctx, e),
			"end": b.store.Records.End(ctx, e.Name, "logout", b.now),
		} {
			if err == nil || errors.Is(err, storage.ErrNotFound) || errors.Is(err, storage.ErrConflict) {
				b.Errorf("%s with an ended context: %v", act, err)
			}
		}
		b.same(b.load(e.Name), e)
	}},
	{"a store that works answers a ping", func(b *bench) {
		_, err := b.store.Connection.Ping(b.ctx)
		b.ok("ping", err)
	}},
}
