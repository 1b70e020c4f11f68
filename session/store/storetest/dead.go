package storetest

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/cloakroom/cloakroom/session/storage"
)

const (
	// foundWithin is how long a connection may be dead without a word.
	foundWithin = 10 * time.Second
	// slack is for a machine that has other things to do.
	slack = 4 * time.Second
	// callTime is what store.Guard gives a call.
	callTime = time.Second
	callers  = 12
)

// DeadConnections wants of a store whose connections all die at once, without a word, that calls succeed and its feed
// stands again within ten seconds. vanish makes them die; connections that are made later live.
func DeadConnections(t *testing.T, s storage.Store, vanish func()) {
	t.Helper()
	var proven atomic.Int64 // the last moment that the feed has proven
	ctx, stop := context.WithCancel(t.Context())
	var running sync.WaitGroup
	defer running.Wait()
	defer stop()
	running.Go(func() {
		for ctx.Err() == nil {
			_ = s.Feed.Listen(ctx, 250*time.Millisecond, func(storage.Change) {}, func(at time.Time) { proven.Store(at.UnixNano()) })
			time.Sleep(50 * time.Millisecond)
		}
	})
	var answered [callers]atomic.Int64 // when each had its last answer
	for i := range callers {
		running.Go(func() {
			for n := 0; ctx.Err() == nil; n++ {
				if err := oneCall(ctx, s, i, n); err == nil {
					answered[i].Store(time.Now().UnixNano())
				}
				time.Sleep(20 * time.Millisecond)
			}
		})
	}
	all := func(since time.Time) bool {
		for i := range callers {
			if answered[i].Load() < since.UnixNano() {
				return false
			}
		}
		return proven.Load() > since.UnixNano()
	}
	await := func(what string, since time.Time) {
		t.Helper()
		for !all(since) {
			if time.Since(since) > foundWithin+slack {
				t.Fatalf("%s: not all are answered after %s, or the feed does not stand", what, foundWithin)
			}
			time.Sleep(10 * time.Millisecond)
		}
	}
	await("before", time.Now())
	vanish()
	died := time.Now()
	time.Sleep(100 * time.Millisecond) // answers that were read before
	await("after", died.Add(100*time.Millisecond))
	t.Logf("all are answered, and the feed stands, %s after", time.Since(died).Round(100*time.Millisecond))
}

// oneCall reads or writes, by turns.
func oneCall(ctx context.Context, s storage.Store, caller, n int) error {
	ctx, cancel := context.WithTimeout(ctx, callTime)
	defer cancel()
	if n%2 == 0 {
		_, err := s.Records.Load(ctx, "no-such-name")
		if errors.Is(err, storage.ErrNotFound) {
			return nil
		}
		return errors.Join(errors.New("a session that nobody made"), err)
	}
	_, err := s.Marks.MarkOnce(ctx, fmt.Sprint("mark-", caller, "-", n), time.Now().Add(time.Minute))
	return err
}
