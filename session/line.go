package session

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/cloakroom/cloakroom/resilience"
	"github.com/cloakroom/cloakroom/session/storage"
)

const (
	// beatsPerStaleness is how often in MaxStaleness the line has to prove itself: one or two lost beats
	// must not make every session stale.
	beatsPerStaleness = 4
	shortestBeat      = 100 * time.Millisecond
	longestBeat       = 2 * time.Second
	// newsTime is how much later than the end of a session the news of it may come to one who waits for it.
	newsTime = 250 * time.Millisecond
	// lateNewsTime is the same for streams, which only end later: on a busy machine the news takes longer.
	lateNewsTime = time.Second
	refreshers   = 4 // sessions that are read at once because somebody listens to what they are now
)

// Listen keeps up the store's line until ctx ends: what other processes do to sessions is told here as
// if it had been done here. While the line is down every session is read from the store. For a store
// without a line it returns at once. Call it once, beside everything else.
func (m *Manager) Listen(ctx context.Context) {
	if m.feed == nil {
		return
	}
	every := max(min(m.cache.maxAge/beatsPerStaleness, longestBeat), shortestBeat)
	if m.cache.maxAge == 0 {
		every = longestBeat
	}
	r := newRefresher(m)
	defer r.close()
	pauses := resilience.ChangeFeed.Pauses().BackOff()
	for ctx.Err() == nil {
		err := m.feed.Listen(ctx, every, func(c storage.Change) { m.heard(c, r) }, func(at time.Time) {
			pauses.Reset()
			if m.cache.prove(at) {
				m.log.Info("changes of sessions are heard from the store")
				for _, name := range m.hub.names() { // what happened to them meanwhile was not heard
					r.add(name)
				}
			}
		})
		if ctx.Err() != nil {
			return
		}
		wasUp := m.cache.isUp()
		m.cache.broke()
		if wasUp {
			m.log.Warn("changes of sessions are not heard; every session is read from the store", "error", err)
		}
		resilience.Sleep(ctx, pauses.NextBackOff())
	}
}

// heard takes in what some process did, this one included: then it is known here already, and told
// nobody twice.
func (m *Manager) heard(c storage.Change, r *refresher) {
	name := Name(c.Name)
	switch c.Kind {
	case storage.RecordUpdated:
		m.cache.changed(name, c.Version)
		m.hub.poke(name)
		if m.hub.subscribers(name) > 0 {
			r.add(name)
		}
	case storage.RecordTouched:
		m.cache.active(name, c.LastActive, c.IdleExpires)
		if m.hub.subscribers(name) > 0 {
			r.add(name)
		}
	case storage.RecordEnded:
		m.past.heard(name, Reason(c.Reason), m.now())
		m.cache.drop(name)
		m.touches.forget(name)
		m.hub.ended(name, Reason(c.Reason))
	}
}

// A refresher reads sessions whose change was heard, for those who want to know what they are now. Its
// goroutines live only while there is something to read.
type refresher struct {
	m    *Manager
	ctx  context.Context // of the reads
	stop context.CancelFunc
	work sync.WaitGroup

	mu      sync.Mutex // guards what follows
	waiting map[Name]struct{}
	readers int
	closed  bool
}

func newRefresher(m *Manager) *refresher {
	r := &refresher{m: m, waiting: map[Name]struct{}{}}
	r.ctx, r.stop = context.WithCancel(context.Background())
	return r
}

func (r *refresher) add(name Name) {
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

func (r *refresher) read() {
	for {
		r.mu.Lock()
		var name Name
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
		r.refresh(name)
	}
}

// refresh tells what a session is now. One that is gone has ended while nobody heard it.
func (r *refresher) refresh(name Name) {
	ctx, cancel := context.WithTimeout(r.ctx, endTime)
	defer cancel()
	s, err := r.m.Get(ctx, name)
	switch {
	case err == nil:
		r.m.hub.changed(s)
	case errors.Is(err, ErrSessionExpired):
		r.m.hub.ended(name, ReasonExpired)
	case errors.Is(err, ErrNoSession):
		if reason, known := r.m.past.end(name, r.m.now()); known && reason != "" {
			r.m.hub.ended(name, reason)
			return
		}
		r.work.Go(func() { r.miss(name) })
	default:
		r.m.hub.poke(name) // the line comes up again when the store does, and asks anew
	}
}

// miss tells the end of a session of which nobody said why. The store's news of it may be on its way.
func (r *refresher) miss(name Name) {
	select {
	case <-time.After(lateNewsTime):
	case <-r.ctx.Done():
		return
	}
	reason, known := r.m.past.end(name, r.m.now())
	if !known || reason == "" {
		reason = ReasonRevoked
	}
	r.m.hub.ended(name, reason)
}

func (r *refresher) close() {
	r.mu.Lock()
	r.closed = true
	r.mu.Unlock()
	r.stop()
	r.work.Wait()
}
