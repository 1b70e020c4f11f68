package store_test

import (
	"context"
	"errors"
	"log/slog"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/cloakroom/cloakroom/session/storage"
	"github.com/cloakroom/cloakroom/session/store"
	"github.com/cloakroom/cloakroom/session/store/memory"
	"github.com/cloakroom/cloakroom/session/store/redis"
	"github.com/cloakroom/cloakroom/session/store/storetest"
	"github.com/cloakroom/cloakroom/test/servers"
)

func guarded(s storage.Store) storage.Store {
	return store.Guard(s, slog.New(slog.DiscardHandler), prometheus.NewRegistry())
}

func TestGuardedStoreBehavesAsAStore(t *testing.T) {
	storetest.Run(t, func(*testing.T) storage.Store { return guarded(memory.New().Parts()) })
}

func TestGuardOfAStoreWithAFeedHasIt(t *testing.T) {
	if guarded(memory.New().Parts()).Feed != nil {
		t.Error("the guard of a store without a feed has a feed")
	}
	s, err := redis.Open(t.Context(), servers.Redis(t).URL())
	if err != nil {
		t.Fatal(err)
	}
	g := guarded(s.Parts())
	defer g.Connection.Close()
	if g.Feed == nil {
		t.Fatal("the guard of a store with a feed has none")
	}
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	_ = g.Feed.Listen(ctx, 20*time.Millisecond, func(storage.Change) {}, func(time.Time) { cancel() })
	if !errors.Is(ctx.Err(), context.Canceled) {
		t.Error("the feed proved nothing through the guard")
	}
}

// A hanging store hangs until the caller's context ends; calls counts who got through to it.
type hangingStore struct {
	*memory.Store
	hangs atomic.Bool
	calls atomic.Int32
}

func (s *hangingStore) Parts() storage.Store {
	parts := s.Store.Parts()
	parts.Records = s
	return parts
}

func (s *hangingStore) Load(ctx context.Context, name string) (storage.Entry, error) {
	s.calls.Add(1)
	if s.hangs.Load() {
		<-ctx.Done()
		return storage.Entry{}, ctx.Err()
	}
	return s.Store.Load(ctx, name)
}

// While the store hangs, each request fails within two seconds, most at once, and none is answered
// "not found", which would log the user out. A second after the store is back it is used again.
func TestHangingStoreIsLeftAloneAndFoundAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		inner := &hangingStore{Store: memory.New()}
		g := guarded(inner.Parts())
		inner.hangs.Store(true)
		waited, slow := time.Duration(0), 0
		for range 1000 {
			began := time.Now()
			_, err := g.Records.Load(t.Context(), "name")
			took := time.Since(began)
			if err == nil || errors.Is(err, storage.ErrNotFound) {
				t.Fatalf("load from a store that hangs: %v", err)
			}
			waited = max(waited, took)
			if took > 0 {
				slow++
			}
			time.Sleep(10 * time.Millisecond)
		}
		if waited > 2*time.Second {
			t.Errorf("the longest call took %v, want at most 2s", waited)
		}
		if slow > 25 || int(inner.calls.Load()) != slow {
			t.Errorf("%d of 1000 waited, and %d calls were made; want about one in half a second",
				slow, inner.calls.Load())
		}
		inner.hangs.Store(false)
		time.Sleep(time.Second)
		for range 10 {
			if _, err := g.Records.Load(t.Context(), "name"); !errors.Is(err, storage.ErrNotFound) {
				t.Errorf("load when the store is back: %v", err)
			}
		}
	})
}

// A call that the caller canceled does not count as a failure of the store, nor does the answer
// that there is no such record.
func TestCallersWhoHangUpDoNotTripTheGuard(t *testing.T) {
	inner := &hangingStore{Store: memory.New()}
	g := guarded(inner.Parts())
	for range 20 {
		if _, err := g.Records.Load(t.Context(), "name"); !errors.Is(err, storage.ErrNotFound) {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		inner.hangs.Store(true)
		if _, err := g.Records.Load(ctx, "name"); err == nil {
			t.Error("a call whose caller went away was answered")
		}
		inner.hangs.Store(false)
	}
}
