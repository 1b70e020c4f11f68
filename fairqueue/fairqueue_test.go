package fairqueue_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cloakroom/cloakroom/fairqueue"
)

// TestKeysTakeTurns: a caller behind many of another key waits for one of them, not for all.
func TestKeysTakeTurns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := fairqueue.New(1)
		first, err := q.Enter(t.Context(), "crowd")
		if err != nil {
			t.Fatal(err)
		}
		var mu sync.Mutex // guards order
		var order []string
		var all sync.WaitGroup
		come := func(key string) {
			all.Go(func() {
				leave, err := q.Enter(t.Context(), key)
				if err != nil {
					t.Errorf("%s: %v", key, err)
					return
				}
				defer leave()
				mu.Lock()
				defer mu.Unlock()
				order = append(order, key)
			})
			synctest.Wait()
		}
		for range 4 {
			come("crowd")
		}
		come("alice")
		come("bob")
		come("alice")
		first()
		first() // once more changes nothing
		all.Wait()
		if want := []string{"crowd", "alice", "bob", "crowd", "alice", "crowd", "crowd"}; !slices.Equal(order, want) {
			t.Errorf("order = %v, want %v", order, want)
		}
	})
}

// TestGivingUpKeepsNoSlot: a waiter whose context ends keeps neither a slot nor its place in the
// queue, even if it gets a slot at the same moment.
func TestGivingUpKeepsNoSlot(t *testing.T) {
	q := fairqueue.New(3)
	var inside, most atomic.Int64
	var all sync.WaitGroup
	for i := range 400 {
		all.Go(func() {
			ctx, cancel := context.WithTimeout(t.Context(), rand.N(4*time.Millisecond))
			defer cancel()
			leave, err := q.Enter(ctx, fmt.Sprint(i%5))
			if err != nil {
				if !errors.Is(err, context.DeadlineExceeded) {
					t.Errorf("enter = %v", err)
				}
				return
			}
			now := inside.Add(1)
			for seen := most.Load(); now > seen && !most.CompareAndSwap(seen, now); seen = most.Load() {
			}
			time.Sleep(rand.N(100 * time.Microsecond))
			inside.Add(-1)
			leave()
		})
	}
	all.Wait()
	if most.Load() > 3 {
		t.Errorf("%d were inside at once, want at most 3", most.Load())
	}
	for range 3 {
		if _, err := q.Enter(t.Context(), "last"); err != nil {
			t.Fatal(err)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := q.Enter(ctx, "one more"); !errors.Is(err, context.Canceled) {
		t.Errorf("a fourth slot came up: %v", err)
	}
}
