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
	// touchesPerIdle is how often activity is written down within one idle time-out, at most. So much
	// of the time-out a session may be short of at its end.
	touchesPerIdle = 10
	// touchInterval is how often activity is written down without an idle time-out, for the list of a
	// user's sessions.
	touchInterval = 5 * time.Minute
	maxTouched    = 10_000 // names whose last touch is remembered
	maxTouches    = 10_000 // waiting to be written
	touchWriters  = 2
	touchTime     = 5 * time.Second // for one write
	touchLogEvery = 10 * time.Second
)

// Touch notes that the session is in use: its idle expiry moves. It writes at most ten times in an idle
// time-out, behind the caller's back: the caller waits for nothing and hears of no failure. A session
// whose last moments could not be written ends that much earlier, unless it was an outage: see idleClock.
func (m *Manager) Touch(_ context.Context, s *Session) {
	now := m.now().UTC().Truncate(time.Millisecond)
	m.touches.add(touch{session: s, at: now, idleExpires: m.idleExpiry(now, s.Record.ExpiresAt)})
}

type touch struct {
	session         *Session
	at, idleExpires time.Time
}

// A toucher writes touches down. Its goroutines live only while there is something to write.
type toucher struct {
	m     *Manager
	every time.Duration
	ctx   context.Context // of the writes; cancelled some time after close
	stop  context.CancelFunc
	work  sync.WaitGroup

	mu      sync.Mutex                  // guards what follows
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

// add takes a touch unless there was one lately.
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
		t.work.Go(t.write)
	}
}

// write writes touches until none waits.
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
		t.m.hub.changed(touched(next.session))
	case !errors.Is(err, storage.ErrNotFound): // not found: it ended, which others see to
		t.forget(name) // the next activity tries again
		t.report(err)
	}
}

// report logs a failure, not each one of an outage.
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

// close has what waits written, within touchTime, and returns when no writer is left.
func (t *toucher) close() {
	t.mu.Lock()
	t.closed = true
	t.mu.Unlock()
	limit := time.AfterFunc(touchTime, t.stop)
	defer limit.Stop()
	t.work.Wait()
	t.stop()
}
