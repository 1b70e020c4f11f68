package session

import (
	"context"
	"errors"
	"sync"
	"time"

	lru "github.com/hashicorp/golang-lru/v2"

	"github.com/cloakroom/cloakroom/session/storage"
)

const (
	// touchesPerIdle is how often activity is recorded within one idle time-out, at most. A session
	// may lose that fraction of its time-out.
	touchesPerIdle = 10
	// touchInterval is how often activity is recorded without an idle time-out, for the list of a
	// user's sessions.
	touchInterval = 5 * time.Minute
	maxTouched    = 10_000 // names whose last touch is remembered
	maxTouches    = 10_000 // waiting to be written
	touchWriters  = 2
	touchTime     = 5 * time.Second // for one write
	touchLogEvery = 10 * time.Second
)

// Touch records that the session is in use, which moves its idle expiry. It writes in the
// background, at most ten times in an idle time-out; the caller neither waits nor learns of a
// failure. A session whose last activity could not be written ends that much earlier, unless there
// was an outage: see local.IdleClock.
func (m *Manager) Touch(_ context.Context, s *Session) {
	now := m.now().UTC().Truncate(time.Millisecond)
	m.touches.add(touch{session: s, at: now, idleExpires: m.idleExpiry(now, s.Record.ExpiresAt)})
}

type touch struct {
	session         *Session
	at, idleExpires time.Time
}

// A toucher writes touches. Its goroutines live only while there is something to write.
type toucher struct {
	m       *Manager
	every   time.Duration
	ctx     context.Context // of the writes; canceled some time after close
	stop    context.CancelFunc
	running sync.WaitGroup

	mu      sync.Mutex                  // guards the fields below
	last    *lru.Cache[Name, time.Time] // last touch that was taken, by name
	waiting []touch
	writers int
	closed  bool
	logged  time.Time // last failure that was logged
}

func newToucher(m *Manager) *toucher {
	last, err := lru.New[Name, time.Time](maxTouched)
	if err != nil {
		panic("session: " + err.Error()) // the size is positive
	}
	t := &toucher{m: m, last: last, every: touchInterval}
	if m.idleTimeout > 0 {
		t.every = m.idleTimeout / touchesPerIdle
	}
	t.ctx, t.stop = context.WithCancel(context.Background())
	return t
}

// add queues a touch unless there was one recently.
func (t *toucher) add(next touch) {
	name := next.session.Name
	if next.at.Sub(next.session.LastActive) < t.every {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if at, ok := t.last.Get(name); ok && next.at.Sub(at) < t.every {
		return
	}
	if t.closed || len(t.waiting) >= maxTouches {
		return
	}
	t.last.Add(name, next.at)
	t.waiting = append(t.waiting, next)
	if t.writers < touchWriters {
		t.writers++
		t.running.Go(t.write)
	}
}

// write writes touches until the queue is empty.
func (t *toucher) write() {
	for {
		t.mu.Lock()
		if len(t.waiting) == 0 {
			t.writers--
			t.waiting = nil
			t.mu.Unlock()
			return
		}
		next := t.waiting[0]
		t.waiting = t.waiting[1:]
		t.mu.Unlock()
		t.writeOne(next)
	}
}

func (t *toucher) writeOne(next touch) {
	name := next.session.Name
	ctx, cancel := context.WithTimeout(t.ctx, touchTime)
	defer cancel()
	err := t.m.records.Touch(ctx, string(name), next.at, next.idleExpires)
	switch {
	case err == nil:
		touched := func(s *Session) *Session { return s.activeAt(next.at, next.idleExpires) }
		t.m.cache.Replace(name, touched)
		t.m.broker.changed(touched(next.session))
	case !errors.Is(err, storage.ErrNotFound): // if it is not found, the session has ended
		t.forget(name) // the next activity tries again
		t.report(err)
	}
}

// report logs a failure, but only one of a series.
func (t *toucher) report(err error) {
	now := time.Now()
	t.mu.Lock()
	quiet := now.Sub(t.logged) < touchLogEvery
	if !quiet {
		t.logged = now
	}
	t.mu.Unlock()
	if !quiet {
		t.m.log.Warn("activity of sessions can't be written down; they may end early", "error", err)
	}
}

func (t *toucher) forget(name Name) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.last.Remove(name)
}

// close writes the queued touches, within touchTime, and returns when all writers have ended.
func (t *toucher) close() {
	t.mu.Lock()
	t.closed = true
	t.mu.Unlock()
	limit := time.AfterFunc(touchTime, t.stop)
	defer limit.Stop()
	t.running.Wait()
	t.stop()
}
