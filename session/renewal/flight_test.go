package renewal

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"
)

func always() error { return nil }

// TestWaiterWhoLeavesDoesNotStopTheFlight (RN4).
func TestWaiterWhoLeavesDoesNotStopTheFlight(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newGroup[string, int]()
		work := func(ctx context.Context, f *flight[int]) {
			select {
			case <-ctx.Done():
				f.settle(0, ctx.Err())
			case <-time.After(time.Second):
				f.settle(7, nil)
			}
		}
		f, started, err := g.join("a", always, work)
		if err != nil || !started {
			t.Fatalf("join = %v, %v; want started", started, err)
		}
		gone := errors.New("gone")
		ctx, cancel := context.WithCancelCause(t.Context())
		cancel(gone)
		if _, err := f.wait(ctx, 0); !errors.Is(err, gone) {
			t.Errorf("outcome for the waiter who left = %v, want %v", err, gone)
		}
		if _, err := f.wait(t.Context(), time.Millisecond); !errors.Is(err, errPatience) {
			t.Errorf("outcome for the impatient = %v, want %v", err, errPatience)
		}
		same, started, err := g.join("a", func() error { return gone }, work)
		if err != nil || started || same != f {
			t.Errorf("second join = %v, %v; want the first flight", started, err)
		}
		if v, err := same.wait(t.Context(), 0); v != 7 || err != nil {
			t.Errorf("outcome = %d, %v; want 7", v, err)
		}
	})
}

// TestFlightStaysUntilItsWorkIsOver: its outcome is there before, and nobody starts a second.
func TestFlightStaysUntilItsWorkIsOver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newGroup[string, int]()
		work := func(_ context.Context, f *flight[int]) {
			f.settle(1, nil)
			time.Sleep(time.Second)
			f.settle(2, nil) // too late
		}
		f, _, _ := g.join("a", always, work)
		if v, _ := f.wait(t.Context(), 0); v != 1 {
			t.Errorf("outcome = %d, want 1", v)
		}
		if g.find("a") != f {
			t.Error("the flight has left before its work was over")
		}
		time.Sleep(2 * time.Second)
		synctest.Wait()
		if g.find("a") != nil {
			t.Error("the flight is still there after its work was over")
		}
		if v, _ := f.wait(t.Context(), 0); v != 1 {
			t.Errorf("outcome at the end = %d, want 1", v)
		}
	})
}

// TestCloseWaitsForFlights, gives up at its deadline, and lets none start after it.
func TestCloseWaitsForFlights(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newGroup[string, int]()
		for _, d := range []time.Duration{time.Second, time.Hour} {
			_, _, _ = g.join(d.String(), always, func(ctx context.Context, _ *flight[int]) {
				select {
				case <-ctx.Done():
				case <-time.After(d):
				}
			})
		}
		began := time.Now()
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		if err := g.close(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("close = %v, want %v", err, context.DeadlineExceeded)
		}
		if took := time.Since(began); took != time.Minute {
			t.Errorf("close took %v, want 1m", took)
		}
		synctest.Wait()
		if g.find(time.Hour.String()) != nil {
			t.Error("the flight is not abandoned after close gave up")
		}
		if _, _, err := g.join("new", always, nil); !errors.Is(err, errClosed) {
			t.Errorf("join after close = %v, want %v", err, errClosed)
		}
	})
}
