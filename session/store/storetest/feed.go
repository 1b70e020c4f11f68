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

// Shared adds the part about stores that several processes share. another opens the same store
// again, as a second process would, and closes it with t.Cleanup.
func Shared(another func(t *testing.T, s storage.Store) storage.Store) Option {
	return func(s *suite) { s.another = another }
}

// feedTests are about what a second process learns of the first one.
func feedTests(another func(*testing.T, storage.Store) storage.Store) []test {
	return slices.Concat(changeTests(another), sharedLeaseTests(another))
}

// changeTests are about the changes that a second process hears of.
func changeTests(another func(*testing.T, storage.Store) storage.Store) []test {
	with := func(run func(b *bench, l *listener)) func(*bench) {
		return func(b *bench) { run(b, b.listen(another(b.T, b.store).Feed)) }
	}
	return []test{
		{"another process hears of changes of a record, in order", with(hearsInOrder)},
		{"another process hears what the sweeper ended", with(func(b *bench, l *listener) {
			e := b.create(b.entry())
			_, err := b.store.Records.EndExpired(b.ctx, "expired", e.ExpiresAt, 10)
			b.ok("end expired", err)
			l.wants(storage.Change{Kind: storage.RecordEnded, Name: e.Name, Reason: "expired"})
		})},
		{"a refused change is not announced", with(func(b *bench, l *listener) {
			e := b.create(b.entry())
			stale := e
			stale.Version = 9
			b.want("update", b.store.Records.Update(b.ctx, stale), storage.ErrConflict)
			b.want("end", b.store.Records.End(b.ctx, name(), "logout", b.now), storage.ErrNotFound)
			b.want("touch", b.store.Records.Touch(b.ctx, name(), b.now, b.now), storage.ErrNotFound)
			b.ok("update", b.store.Records.Update(b.ctx, e))
			l.wants(storage.Change{Kind: storage.RecordUpdated, Name: e.Name, Version: 2})
		})},
		{"all changes before a moment are heard before the feed proves it", with(hearsBeforeProof)},
		{"a listener stops when its context ends", with(func(b *bench, l *listener) {
			l.stop()
			select {
			case <-l.over:
			case <-time.After(5 * time.Second):
				b.Error("still listening 5 s after its context ended")
			}
		})},
	}
}

func hearsInOrder(b *bench, l *listener) {
	e := b.create(b.entry())
	b.ok("update", b.store.Records.Update(b.ctx, e))
	active, idle := b.now.Add(time.Minute), e.IdleExpires.Add(time.Minute)
	b.ok("touch", b.store.Records.Touch(b.ctx, e.Name, active, idle))
	e.Version = 2
	b.ok("update", b.store.Records.Update(b.ctx, e))
	b.ok("end", b.store.Records.End(b.ctx, e.Name, "provider_logout", b.now))
	l.wants(
		storage.Change{Kind: storage.RecordUpdated, Name: e.Name, Version: 2},
		storage.Change{
			Kind: storage.RecordTouched, Name: e.Name, LastActive: active, IdleExpires: idle,
		},
		storage.Change{Kind: storage.RecordUpdated, Name: e.Name, Version: 3},
		storage.Change{Kind: storage.RecordEnded, Name: e.Name, Reason: "provider_logout"},
	)
}

// hearsBeforeProof tests what lets a replica serve sessions from its cache: once the feed has
// proven a moment, it has delivered all changes made before it.
func hearsBeforeProof(b *bench, l *listener) {
	for range rounds {
		e := b.create(b.entry())
		b.ok("update", b.store.Records.Update(b.ctx, e))
		done := time.Now()
		for !l.proven(b).After(done) {
		}
		n := l.count.Load()
		isOurs := func(c storage.Change) bool { return c.Name == e.Name }
		if n == 0 || !slices.ContainsFunc(l.take(int(n)), isOurs) {
			b.Fatalf("%d changes heard, none of %s, though the feed has proven a later moment",
				n, e.Name)
		}
	}
}

// sharedLeaseTests are about leases of several processes.
func sharedLeaseTests(another func(*testing.T, storage.Store) storage.Store) []test {
	return []test{
		{"a lease outlasts its ttl while its holder's process listens, for a while", func(b *bench) {
			holdsWhileListening(b, another(b.T, b.store))
		}},
		{"a lease that its own process left behind expires with its ttl", func(b *bench) {
			b.listen(another(b.T, b.store).Feed)
			b.listen(b.store.Feed)
			b.acquires("renew", "one", 300*time.Millisecond, true)
			time.Sleep(350 * time.Millisecond)
			b.acquires("renew", "two", time.Hour, true)
		}},
	}
}

// holdsWhileListening lets the process of another store hold a lease while it is frozen, frozen for
// good, and dead.
func holdsWhileListening(b *bench, frozen storage.Store) {
	const ttl = 300 * time.Millisecond
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
}

// A listener collects what a feed delivers.
type listener struct {
	b       *bench
	changes chan storage.Change
	count   atomic.Int32 // in changes
	moments chan time.Time
	stop    context.CancelFunc
	over    chan struct{}
}

// listen starts a listener on a feed, and returns once the feed works.
func (b *bench) listen(feed storage.ChangeFeed) *listener {
	b.Helper()
	l := &listener{
		b: b, changes: make(chan storage.Change, 10_000), moments: make(chan time.Time, 1),
		over: make(chan struct{}),
	}
	var ctx context.Context
	ctx, l.stop = context.WithCancel(b.ctx)
	go func() {
		defer close(l.over)
		_ = feed.Listen(ctx, 20*time.Millisecond, func(c storage.Change) {
			l.count.Add(1)
			l.changes <- c
		}, func(at time.Time) {
			select { // only the newest moment is of interest
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

// proven returns the next moment that the feed has proven.
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

// wants takes the next changes and compares them with those that are given.
func (l *listener) wants(want ...storage.Change) {
	l.b.Helper()
	for i, w := range want {
		select {
		case got := <-l.changes:
			l.count.Add(-1)
			if got.Kind != w.Kind || got.Name != w.Name ||
				got.Version != w.Version || got.Reason != w.Reason ||
				!got.LastActive.Equal(w.LastActive) || !got.IdleExpires.Equal(w.IdleExpires) {
				l.b.Errorf("change %d = %s, want %s", i, showChange(got), showChange(w))
			}
		case <-time.After(10 * time.Second):
			l.b.Fatalf("change %d not heard in 10 s; want %s", i, showChange(w))
		}
	}
}

func showChange(c storage.Change) string {
	return fmt.Sprintf("kind %d of %s version %d reason %q active %v idle %v",
		c.Kind, c.Name, c.Version, c.Reason, c.LastActive, c.IdleExpires)
}
