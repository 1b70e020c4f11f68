package storetest

import (
	"context"
	"fmt"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/cloakroom/cloakroom/session/storage"
)

// Shared adds the part about stores that several processes share. another opens the same store once more,
// as a second process would; it is closed with t.Cleanup.
func Shared(another func(t *testing.T, s storage.Store) storage.Store) Option {
	return func(s *suite) { s.another = another }
}

// feedTests are about what a second process hears of what the first one does.
func feedTests(another func(*testing.T, storage.Store) storage.Store) []test {
	with := func(run func(b *bench, l *listener)) func(*bench) {
		return func(b *bench) { run(b, b.listen(another(b.T, b.store).Feed)) }
	}
	return []test{
		{"another process hears what is done to a record, in that order", with(func(b *bench, l *listener) {
			e := b.create(b.entry())
			b.ok("update", b.store.Records.Update(b.ctx, e))
			active, idle := b.now.Add(time.Minute), e.IdleExpires.Add(time.Minute)
			b.ok("touch", b.store.Records.Touch(b.ctx, e.Name, active, idle))
			e.Version = 2
			b.ok("update", b.store.Records.Update(b.ctx, e))
			b.ok("end", b.store.Records.End(b.ctx, e.Name, "provider_logout", b.now))
			l.wants(
				storage.Change{Kind: storage.RecordUpdated, Name: e.Name, Version: 2},
				storage.Change{Kind: storage.RecordTouched, Name: e.Name, LastActive: active, IdleExpires: idle},
				storage.Change{Kind: storage.RecordUpdated, Name: e.Name, Version: 3},
				storage.Change{Kind: storage.RecordEnded, Name: e.Name, Reason: "provider_logout"},
			)
		})},
		{"another process hears what the sweeper ended", with(func(b *bench, l *listener) {
			e := b.create(b.entry())
			_, err := b.store.Records.EndExpired(b.ctx, "expired", e.ExpiresAt, 10)
			b.ok("end expired", err)
			l.wants(storage.Change{Kind: storage.RecordEnded, Name: e.Name, Reason: "expired"})
		})},
		{"what was refused is not told", with(func(b *bench, l *listener) {
			e := b.create(b.entry())
			stale := e
			stale.Version = 9
			b.want("update", b.store.Records.Update(b.ctx, stale), storage.ErrConflict)
			b.want("end", b.store.Records.End(b.ctx, name(), "logout", b.now), storage.ErrNotFound)
			b.want("touch", b.store.Records.Touch(b.ctx, name(), b.now, b.now), storage.ErrNotFound)
			b.ok("update", b.store.Records.Update(b.ctx, e))
			l.wants(storage.Change{Kind: storage.RecordUpdated, Name: e.Name, Version: 2})
		})},
		// The rule that lets a replica serve what it has cached: once the feed has proven a moment, nothing
		// that was done before it is still on its way.
		{"what the feed has proven was heard before", with(func(b *bench, l *listener) {
			for range rounds {
				e := b.create(b.entry())
				b.ok("update", b.store.Records.Update(b.ctx, e))
				done := time.Now()
				for !l.proven(b).After(done) {
				}
				if n := l.count.Load(); n == 0 || !slices.ContainsFunc(l.take(int(n)), func(c storage.Change) bool { return c.Name == e.Name }) {
					b.Fatalf("%d changes heard, without %s, though the feed has proven to be behind it", n, e.Name)
				}
			}
		})},
		{"a lease lasts while its holder's process listens, for a while, and not when that is gone", func(b *bench) {
			const ttl = 300 * time.Millisecond
			frozen := another(b.T, b.store)
			l := b.listen(frozen.Feed)
			acquires := func(s storage.Store, holder string, want bool) {
				b.Helper()
				got, err := s.Leases.Acquire(b.ctx, "renew", holder, ttl)
				b.ok("acquire", err)
				if got != want {
					b.Errorf("%s acquires = %v, want %v", holder, got, want)
				}
			}
			acquires(frozen, "frozen", true)
			time.Sleep(ttl + 50*time.Millisecond)
			b.acquires("renew", "next", ttl, false)
			b.ok("release by the one who woke", frozen.Leases.Release(b.ctx, "renew", "frozen"))
			b.acquires("renew", "next", ttl, true)
			b.ok("release", b.store.Leases.Release(b.ctx, "renew", "next"))

			acquires(frozen, "frozen for good", true)
			time.Sleep(storage.FrozenFactor*ttl + 50*time.Millisecond)
			b.acquires("renew", "next", ttl, true)
			b.ok("release", b.store.Leases.Release(b.ctx, "renew", "next"))

			acquires(frozen, "dead", true)
			l.stop()
			<-l.over
			b.acquires("renew", "next", ttl, false)
			time.Sleep(ttl + 50*time.Millisecond)
			b.acquires("renew", "next", ttl, false) // it may only have lost its feed
			time.Sleep(ttl / 3)
			b.acquires("renew", "next", ttl, true)
			b.ok("release", frozen.Leases.Release(b.ctx, "renew", "dead"))
			b.acquires("renew", "third", ttl, false)
		}},
		{"a lease that its own process left behind is over after its time", with(func(b *bench, _ *listener) {
			b.listen(b.store.Feed)
			b.acquires("renew", "one", 300*time.Millisecond, true)
			time.Sleep(350 * time.Millisecond)
			b.acquires("renew", "two", time.Hour, true)
		})},
		{"a listener that is told to stop stops", with(func(b *bench, l *listener) {
			l.stop()
			select {
			case <-l.over:
			case <-time.After(5 * time.Second):
				b.Error("still listening 5 s after its context ended")
			}
		})},
	}
}

// A listener keeps what a feed tells.
type listener struct {
	b       *bench
	changes chan storage.Change
	count   atomic.Int32 // in changes
	moments chan time.Time
	stop    context.CancelFunc
	over    chan struct{}
}

// listen has a feed tell a listener, and returns when the feed stands.
func (b *bench) listen(feed storage.ChangeFeed) *listener {
	b.Helper()
	l := &listener{b: b, changes: make(chan storage.Change, 10_000), moments: make(chan time.Time, 1), over: make(chan struct{})}
	var ctx context.Context
	ctx, l.stop = context.WithCancel(b.ctx)
	go func() {
		defer close(l.over)
		_ = feed.Listen(ctx, 20*time.Millisecond, func(c storage.Change) {
			l.count.Add(1)
			l.changes <- c
		}, func(at time.Time) {
			select { // the newest moment is enough
			case <-l.moments:
			default:
			}
			l.moments <- at
		})
	}()
	b.Cleanup(func() { l.stop(); <-l.over })
	l.proven(b)
	return l
}

// proven is the next moment that the feed has proven.
func (l *listener) proven(b *bench) time.Time {
	b.Helper()
	select {
	case at := <-l.moments:
		return at
	case <-l.over:
		b.Fatal("the feed broke")
	case <-time.After(10 * time.Second):
		b.Fatal("the feed has proven nothing in 10 s")
	}
	return time.Time{}
}

func (l *listener) take(n int) (taken []storage.Change) {
	for range n {
		taken = append(taken, <-l.changes)
		l.count.Add(-1)
	}
	return taken
}

// wants takes as many changes as it is given and compares them.
func (l *listener) wants(want ...storage.Change) {
	l.b.Helper()
	for i, w := range want {
		select {
		case got := <-l.changes:
			l.count.Add(-1)
			if got.Kind != w.Kind || got.Name != w.Name || got.Version != w.Version || got.Reason != w.Reason ||
				!got.LastActive.Equal(w.LastActive) || !got.IdleExpires.Equal(w.IdleExpires) {
				l.b.Errorf("change %d = %s, want %s", i, showChange(got), showChange(w))
			}
		case <-time.After(10 * time.Second):
			l.b.Fatalf("change %d not heard in 10 s; want %s", i, showChange(w))
		}
	}
}

func showChange(c storage.Change) string {
	return fmt.Sprintf("kind %d of %s version %d reason %q active %v idle %v", c.Kind, c.Name, c.Version, c.Reason, c.LastActive, c.IdleExpires)
}
