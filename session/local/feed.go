package local

import (
	"context"
	"sync"
	"time"

	"github.com/cloakroom/cloakroom/resilience"
	"github.com/cloakroom/cloakroom/session/storage"
)

const (
	// beatsPerStaleness is how often in the time that something may be stale the feed has to prove itself:
	// one or two lost beats must not make everything stale.
	beatsPerStaleness = 4
	shortestBeat      = 100 * time.Millisecond
	longestBeat       = 2 * time.Second
)

// A Follower follows a store's change feed, and begins anew when it breaks. All functions are called by one
// goroutine at a time.
type Follower struct {
	Feed         storage.ChangeFeed
	MaxStaleness time.Duration // how long what was heard last may be believed; it sets the pace of the beats
	Heard        func(storage.Change)
	Proven       func(moment time.Time) // what was done before it was heard
	Broken       func(cause error)      // until Proven is called again nothing is known
}

// Follow follows the feed until ctx ends.
func (f Follower) Follow(ctx context.Context) {
	every := max(min(f.MaxStaleness/beatsPerStaleness, longestBeat), shortestBeat)
	if f.MaxStaleness == 0 {
		every = longestBeat
	}
	pauses := resilience.ChangeFeed.Pauses().BackOff()
	for ctx.Err() == nil {
		err := f.Feed.Listen(ctx, every, f.Heard, func(moment time.Time) {
			pauses.Reset()
			f.Proven(moment)
		})
		if ctx.Err() != nil {
			return
		}
		f.Broken(err)
		resilience.Sleep(ctx, pauses.NextBackOff())
	}
}

const refreshers = 4 // names that are refreshed at once

// A Refresher reads anew what was heard to have changed, each name once however often it was heard. Its
// goroutines live only while there is something to read. It is safe for concurrent use.
type Refresher[N comparable] struct {
	refresh func(context.Context, N)
	ctx     context.Context // of the reads
	stop    context.CancelFunc
	work    sync.WaitGroup

	mu      sync.Mutex // guards what follows
	waiting map[N]struct{}
	readers int
	closed  bool
}

// NewRefresher makes a Refresher that calls refresh for each name that is added.
func NewRefresher[N comparable](refresh func(context.Context, N)) *Refresher[N] {
	r := &Refresher[N]{refresh: refresh, waiting: map[N]struct{}{}}
	r.ctx, r.stop = context.WithCancel(context.Background())
	return r
}

// Add has a name refreshed soon. After Close it does nothing.
func (r *Refresher[N]) Add(name N) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closed {
		return
	}
	r.waiting[name] = struct{}{}
	if r.readers < refreshers {
		r.readers++
		r.work.Go(r.read)
	}
}

func (r *Refresher[N]) read() {
	for {
		r.mu.Lock()
		var name N
		for name = range r.waiting {
			break
		}
		if len(r.waiting) == 0 || r.closed {
			r.readers--
			r.mu.Unlock()
			return
		}
		delete(r.waiting, name)
		r.mu.Unlock()
		r.refresh(r.ctx, name)
	}
}

// Later has something done after a while, unless Close comes first. A refresh may call it.
func (r *Refresher[N]) Later(after time.Duration, do func()) {
	r.work.Go(func() {
		select {
		case <-time.After(after):
			do()
		case <-r.ctx.Done():
		}
	})
}

// Close cuts the reads under way, and returns when nothing that the Refresher started is left.
func (r *Refresher[N]) Close() {
	r.mu.Lock()
	r.closed = true
	r.mu.Unlock()
	r.stop()
	r.work.Wait()
}
