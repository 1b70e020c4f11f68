package storetest

import (
	"slices"
	"time"

	"github.com/cloakroom/cloakroom/session/storage"
)

// expiryTests are about the sweeper.
var expiryTests = []test{
	{"sweeping ends records exactly at their absolute or idle expiry, and no others", func(b *bench) {
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
				b.Errorf("outbox item of %s = %v %+v, want one that expired at %v",
					n, ok, r, at)
			}
			_, err := b.store.Records.Load(b.ctx, n)
			b.want("load what expired", err, storage.ErrNotFound)
		}
		if again, err := b.store.Records.EndExpired(b.ctx, "expired", at, 10); err != nil || len(again) != 0 {
			b.Errorf("sweeping again ended %v %v, want none", again, err)
		}
	}},
	{"sweeping ends at most limit records at a time, and in the end all", func(b *bench) {
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
	{"a touched record expires later", func(b *bench) {
		e := b.create(b.entry())
		b.ok("touch", b.store.Records.Touch(b.ctx, e.Name, b.now.Add(5*time.Minute), b.now.Add(15*time.Minute)))
		b.sweeps(b.now.Add(10*time.Minute), 0)
		b.sweeps(b.now.Add(15*time.Minute), 1)
	}},
	{"an update can bring the absolute expiry nearer", func(b *bench) {
		e := b.entry()
		e.IdleExpires = time.Time{}
		b.create(e)
		e.ExpiresAt = b.now.Add(time.Minute)
		b.ok("update", b.store.Records.Update(b.ctx, e))
		b.sweeps(b.now.Add(time.Minute), 1)
	}},
	{"an expired record exists until it is swept", func(b *bench) {
		e := b.entry()
		e.CreatedAt, e.LastActive = b.now.Add(-2*time.Hour), b.now.Add(-2*time.Hour)
		e.ExpiresAt, e.IdleExpires = b.now.Add(-time.Minute), b.now.Add(-time.Hour)
		b.create(e)
		b.same(b.load(e.Name), e)
		b.ok("end", b.store.Records.End(b.ctx, e.Name, "logout", b.now))
	}},
}

// sweeps sweeps once and checks how many records end.
func (b *bench) sweeps(at time.Time, want int) {
	b.Helper()
	ended, err := b.store.Records.EndExpired(b.ctx, "expired", at, 10)
	if err != nil || len(ended) != want {
		b.Errorf("sweep at %v ended %v %v, want %d", at, ended, err, want)
	}
}
