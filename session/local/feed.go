package local

import (
	"context"
	"sync"
	"time"

	"github.com/cloakroom/cloakroom/resilience"
	"github.com/cloakroom/cloakroom/session/storage"
)

const (
	// beatsPerStaleness is how many heartbeats are sent in the time that an entry may be stale: one
	// or two lost beats must not make everything stale.
	beatsPerStaleness = 4
	minBeat           = 100 * time.Millisecond
	maxBeat           = 2 * time.Second
)

// A Follower follows a store's change feed, and reconnects when it breaks. All functions are called
// by one goroutine.
type Follower struct {
	Feed         storage.ChangeFeed
	MaxStaleness time.Duration // how stale cached entries may be; sets the heartbeats' interval
	Heard        func(storage.Change)
	Proven       func(moment time.Time) // all changes before moment were heard
	Broken       func(cause error)      // changes may be missed until Proven is called again
}

// Follow follows the feed until ctx ends.
func (f Follower) Follow(ctx context.Context) {
	every := max(min(f.MaxStaleness/beatsPerStaleness, maxBeat), minBeat)
	if f.MaxStaleness == 0 {
		every = maxBeat
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

const maxReaders = 4 // names that are refreshed at once

// A Refresher reads changed names again, each once however often it was added. Its goroutines live
// only while there is something to read. It is safe for concurrent use.
type Refresher[N comparable] struct {
	refresh func(context.Context, N)
	ctx     context.Context // of the reads
	stop    context.CancelFunc
	running sync.WaitGroup

	mu      sync.Mutex // guards the fields below
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

// Add schedules a refresh of a name. After Close it does nothing.
func (r *Refresher[N]) Add(name N) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closed {
		return
	}
	r.waiting[name] = struct{}{}
	if r.readers < maxReaders {
		r.readers++
		r.running.Go(r.read)
	}
}

// read refreshes waiting names until there are none.
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

// Later calls do after a while, unless Close comes first. A refresh may call it.
func (r *Refresher[N]) Later(after time.Duration, do func()) {
	r.running.Go(func() {
		select {
		case <-time.After(after):
			do()
		case <-r.ctx.Done():
		}
	})
}

// Close cancels the reads under way, and returns when all goroutines of the Refresher have ended.
func (r *Refresher[N]) Close() {
	r.mu.Lock()
	r.closed = true
	r.mu.Unlock()
	r.stop()
	r.running.Wait()
}
