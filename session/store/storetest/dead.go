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
	// detectWithin is how long it may take to detect a dead connection.
	detectWithin = 10 * time.Second
	// slack is an allowance for a busy machine.
	slack = 4 * time.Second
	// callTime is the time-out that store.Guard sets for a call.
	callTime = time.Second
	callers  = 12
)

// DeadConnections tests a store whose connections all break silently at once: within ten seconds
// calls must succeed and the feed must work again. vanish breaks them; connections that are made
// later work.
func DeadConnections(t *testing.T, s storage.Store, vanish func()) {
	t.Helper()
	var proven atomic.Int64 // the last moment that the feed has proven
	ctx, stop := context.WithCancel(t.Context())
	var running sync.WaitGroup
	defer running.Wait()
	defer stop()
	running.Go(func() {
		for ctx.Err() == nil {
			_ = s.Feed.Listen(ctx, 250*time.Millisecond, func(storage.Change) {}, func(at time.Time) {
				proven.Store(at.UnixNano())
			})
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
			if time.Since(since) > detectWithin+slack {
				t.Fatalf("%s: after %s some calls are not answered, or the feed does not work",
					what, detectWithin)
			}
			time.Sleep(10 * time.Millisecond)
		}
	}
	await("before", time.Now())
	vanish()
	died := time.Now()
	time.Sleep(100 * time.Millisecond) // for answers that had arrived before
	await("after", died.Add(100*time.Millisecond))
	t.Logf("all calls are answered, and the feed works, after %s",
		time.Since(died).Round(100*time.Millisecond))
}

// oneCall reads or writes in turn.
func oneCall(ctx context.Context, s storage.Store, caller, n int) error {
	ctx, cancel := context.WithTimeout(ctx, callTime)
	defer cancel()
	if n%2 == 0 {
		_, err := s.Records.Load(ctx, "no-such-name")
		if errors.Is(err, storage.ErrNotFound) {
			return nil
		}
		return errors.Join(errors.New("found a session that does not exist"), err)
	}
	_, err := s.Marks.MarkOnce(ctx, fmt.Sprint("mark-", caller, "-", n), time.Now().Add(time.Minute))
	return err
}
