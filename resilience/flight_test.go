package resilience

import (
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// TestWhoLeavesDoesNotStopTheWork, and those who stay get its outcome, which was worked for once.
func TestWhoLeavesDoesNotStopTheWork(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var f Flight[int]
		done := 0
		work := func() (int, error) {
			time.Sleep(time.Second)
			done++
			return 7, nil
		}
		gone := errors.New("gone")
		ctx, leave := context.WithCancelCause(t.Context())
		var waiting sync.WaitGroup
		waiting.Go(func() {
			if _, err := f.Do(ctx, work); !errors.Is(err, gone) {
				t.Errorf("outcome for who left = %v, want %v", err, gone)
			}
		})
		for range 10 {
			waiting.Go(func() {
				if v, err := f.Do(t.Context(), work); v != 7 || err != nil {
					t.Errorf("outcome = %d, %v; want 7", v, err)
				}
			})
		}
		synctest.Wait()
		leave(gone)
		waiting.Wait()
		if done != 1 {
			t.Errorf("times that the work was done = %d, want 1", done)
		}
		if _, err := f.Do(t.Context(), func() (int, error) { return 0, gone }); !errors.Is(err, gone) {
			t.Errorf("outcome of the next work = %v, want %v", err, gone)
		}
	})
}

// TestForgottenWorkIsNotJoined: what starts after its outcome is settled is new.
func TestForgottenWorkIsNotJoined(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var f Flight[int]
		first := f.Start(func() (int, error) {
			f.Forget()
			time.Sleep(time.Second)
			return 1, nil
		})
		synctest.Wait()
		if v, err := f.Do(t.Context(), func() (int, error) { return 2, nil }); v != 2 || err != nil {
			t.Errorf("outcome after the first was forgotten = %d, %v; want 2", v, err)
		}
		if v, err := first(t.Context()); v != 1 || err != nil {
			t.Errorf("outcome of the first = %d, %v; want 1", v, err)
		}
	})
}
