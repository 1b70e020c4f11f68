package storetest

import (
	"slices"
	"time"

	"github.com/cloakroom/cloakroom/session/storage"
)

// expiryTests are about what the sweeper ends.
var expiryTests = []test{
	{"sweeping ends what ran out by age or idleness, at that very moment, and nothing else", func(b *bench) {
		live, old, idle, neverIdle := b.entry(), b.entry(), b.entry(), b.entry()
		at := b.now.Add(30 * time.Minute)
		old.ExpiresAt, old.IdleExpires = at, at.Add(time.Hour)
		idle.IdleExpires = at
		live.IdleExpires = at.Add(time.Millisecond)
		neverIdle.IdleExpires = time.Time{}
		for _, e := range []storage.Entry{live, old, idle, neverIdle} {
			b.create(e)
		}
		ended, err := b.store.Records.EndExpired(b.ctx, "expired", at, 10)
		b.ok("end expired", err)
		want := []string{old.Name, idle.Name}
		slices.Sort(want)
		if slices.Sort(ended); !slices.Equal(ended, want) {
			b.Errorf("ended %v, want %v", ended, want)
		}
		b.same(b.load(live.Name), live)
		b.same(b.load(neverIdle.Name), neverIdle)
		due := b.due()
		for _, n := range want {
			if r, ok := due[n]; !ok || r.Reason != "expired" || !r.EndedAt.Equal(at) {
				b.Errorf("outbox item of %s = %v %+v, want one that expired at %v", n, ok, r, at)
			}
			_, err := b.store.Records.Load(b.ctx, n)
			b.want("load what expired", err, storage.ErrNotFound)
		}
		if again, err := b.store.Records.EndExpired(b.ctx, "expired", at, 10); err != nil || len(again) != 0 {
			b.Errorf("sweeping again ended %v %v, want none", again, err)
		}
	}},
	{"sweeping ends no more than it was told, and all in the end", func(b *bench) {
		for range 7 {
			b.create(b.entry())
		}
		at := b.now.Add(2 * time.Hour)
		seen := map[string]bool{}
		for _, want := range []int{3, 3, 1, 0} {
			ended, err := b.store.Records.EndExpired(b.ctx, "expired", at, 3)
			b.ok("end expired", err)
			if len(ended) != want {
				b.Errorf("ended %d, want %d", len(ended), want)
			}
			for _, n := range ended {
				if seen[n] {
					b.Errorf("%s ended twice", n)
				}
				seen[n] = true
			}
		}
	}},
	{"a touched record runs out later", func(b *bench) {
		e := b.create(b.entry())
		b.ok("touch", b.store.Records.Touch(b.ctx, e.Name, b.now.Add(5*time.Minute), b.now.Add(15*time.Minute)))
		if ended, err := b.store.Records.EndExpired(b.ctx, "expired", b.now.Add(10*time.Minute), 10); err != nil || len(ended) != 0 {
			b.Errorf("ended %v %v, want none yet", ended, err)
		}
		if ended, err := b.store.Records.EndExpired(b.ctx, "expired", b.now.Add(15*time.Minute), 10); err != nil || len(ended) != 1 {
			b.Errorf("ended %v %v, want it now", ended, err)
		}
	}},
	{"an update can bring the absolute expiry nearer", func(b *bench) {
		e := b.entry()
		e.IdleExpires = time.Time{}
		b.create(e)
		e.ExpiresAt = b.now.Add(time.Minute)
		b.ok("update", b.store.Records.Update(b.ctx, e))
		if ended, err := b.store.Records.EndExpired(b.ctx, "expired", b.now.Add(time.Minute), 10); err != nil || len(ended) != 1 {
			b.Errorf("ended %v %v, want it", ended, err)
		}
	}},
	{"a record that ran out is still there until it is swept", func(b *bench) {
		e := b.entry()
		e.CreatedAt, e.LastActive = b.now.Add(-2*time.Hour), b.now.Add(-2*time.Hour)
		e.ExpiresAt, e.IdleExpires = b.now.Add(-time.Minute), b.now.Add(-time.Hour)
		b.create(e)
		b.same(b.load(e.Name), e)
		b.ok("end", b.store.Records.End(b.ctx, e.Name, "logout", b.now))
	}},
}
