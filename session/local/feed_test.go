package local

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cloakroom/cloakroom/session/storage"
)

var errCut = errors.New("the feed was cut")

// A scriptedFeed breaks each time after so long, having proven the moment that it began.
type scriptedFeed struct {
	lasts time.Duration
	every time.Duration // as it was asked for last
}

func (f *scriptedFeed) Listen(
	ctx context.Context, every time.Duration, heard func(storage.Change), proven func(time.Time),
) error {
	f.every = every
	proven(time.Now())
	heard(storage.Change{Kind: storage.RecordEnded, Name: "n"})
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(f.lasts):
		return errCut
	}
}

func TestFollowerBeginsAnewWhenTheFeedBreaks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, stop := context.WithTimeout(t.Context(), time.Minute)
		defer stop()
		feed := &scriptedFeed{lasts: 10 * time.Second}
		heard, proven, broken := 0, 0, 0
		Follower{
			Feed: feed, MaxStaleness: 2 * time.Second,
			Heard:  func(storage.Change) { heard++ },
			Proven: func(time.Time) { proven++ },
			Broken: func(cause error) {
				if broken++; !errors.Is(cause, errCut) {
					t.Errorf("cause = %v, want %v", cause, errCut)
				}
			},
		}.Follow(ctx)
		if proven < 4 || heard != proven || broken != proven-1 {
			t.Errorf("proven %d, heard %d, broken %d times, want about six, as many, and all but the last",
				proven, heard, broken)
		}
		if feed.every != 500*time.Millisecond {
			t.Errorf("beat every %v, want four in the time that something may be stale", feed.every)
		}
	})
}

func TestRefresherReadsANameOnceHoweverOftenItWasHeard(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var reads, under, most atomic.Int32
		r := NewRefresher(func(context.Context, int) {
			most.Store(max(most.Load(), under.Add(1)))
			time.Sleep(time.Second)
			under.Add(-1)
			reads.Add(1)
		})
		for i := range 100 {
			r.Add(i % 10)
		}
		synctest.Wait()
		for range 100 {
			r.Add(9) // it waits, or is read once more
		}
		time.Sleep(time.Minute)
		if n := reads.Load(); n < 10 || n > 14 {
			t.Errorf("reads = %d, want one for each of ten names, and those heard while they were read", n)
		}
		if most.Load() > maxReaders {
			t.Errorf("at once = %d, want at most %d", most.Load(), maxReaders)
		}
		r.Close()
	})
}

// What is put off is done, unless the Refresher is closed first; and Close waits for what it
// started.
func TestRefresherThatIsClosedDoesNothingMore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var done, cut atomic.Bool
		r := NewRefresher(func(ctx context.Context, _ string) { <-ctx.Done(); cut.Store(true) })
		r.Later(time.Second, func() { done.Store(true) })
		r.Later(time.Hour, func() { t.Error("what was put off was done after Close") })
		r.Add("name")
		time.Sleep(2 * time.Second)
		r.Close()
		if !done.Load() || !cut.Load() {
			t.Errorf("done = %v, cut = %v, want both", done.Load(), cut.Load())
		}
		r.Add("name")
	})
}
