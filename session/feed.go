package session

import (
	"context"
	"errors"
	"time"

	"github.com/cloakroom/cloakroom/session/local"
	"github.com/cloakroom/cloakroom/session/storage"
)

const (
	// newsTime is how much later than the end of a session the news of it may come to one who waits for it.
	newsTime = 250 * time.Millisecond
	// lateNewsTime is the same for streams, which only end later: on a busy machine the news takes longer.
	lateNewsTime = time.Second
)

// Listen follows the store's change feed until ctx ends: what other processes do to sessions is told here
// as if it had been done here. While the feed is down every session is read from the store. For a store
// without a feed it returns at once. Call it once, beside everything else.
func (m *Manager) Listen(ctx context.Context) {
	if m.feed == nil {
		return
	}
	var r *local.Refresher[Name]
	r = local.NewRefresher(func(ctx context.Context, name Name) { m.refresh(ctx, name, r) })
	defer r.Close()
	local.Follower{
		Feed: m.feed, MaxStaleness: m.maxStaleness,
		Heard: func(c storage.Change) { m.heard(c, r) },
		Proven: func(moment time.Time) {
			if m.cache.Proven(moment) {
				m.log.Info("changes of sessions are heard from the store")
				for _, name := range m.hub.names() { // what happened to them meanwhile was not heard
					r.Add(name)
				}
			}
		},
		Broken: func(cause error) {
			if m.cache.Broken() {
				m.log.Warn("changes of sessions are not heard; every session is read from the store", "error", cause)
			}
		},
	}.Follow(ctx)
}

// heard takes in what some process did, this one included: then it is known here already, and told
// nobody twice.
func (m *Manager) heard(c storage.Change, r *local.Refresher[Name]) {
	name := Name(c.Name)
	switch c.Kind {
	case storage.RecordUpdated:
		m.cache.Changed(name, c.Version)
		m.hub.poke(name)
		if m.hub.subscribers(name) > 0 {
			r.Add(name)
		}
	case storage.RecordTouched:
		m.cache.Replace(name, func(s *Session) *Session { return s.activeAt(c.LastActive, c.IdleExpires) })
		if m.hub.subscribers(name) > 0 {
			r.Add(name)
		}
	case storage.RecordEnded:
		m.tombstones.Heard(name, Reason(c.Reason), m.now())
		m.cache.Drop(name)
		m.touches.forget(name)
		m.hub.ended(name, Reason(c.Reason))
	}
}

// refresh tells what a session is now. One that is gone has ended while nobody heard it.
func (m *Manager) refresh(ctx context.Context, name Name, r *local.Refresher[Name]) {
	ctx, cancel := context.WithTimeout(ctx, endTime)
	defer cancel()
	s, err := m.Get(ctx, name)
	switch {
	case err == nil:
		m.hub.changed(s)
	case errors.Is(err, ErrSessionExpired):
		m.hub.ended(name, ReasonExpired)
	case errors.Is(err, ErrNoSession):
		if reason, known := m.tombstones.End(name, m.now()); known && reason != "" {
			m.hub.ended(name, reason)
			return
		}
		r.Later(lateNewsTime, func() { m.miss(name) })
	default:
		m.hub.poke(name) // the feed comes up again when the store does, and asks anew
	}
}

// miss tells the end of a session of which nobody said why. The store's news of it may be on its way.
func (m *Manager) miss(name Name) {
	reason, known := m.tombstones.End(name, m.now())
	if !known || reason == "" {
		reason = ReasonRevoked
	}
	m.hub.ended(name, reason)
}
