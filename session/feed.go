package session

import (
	"context"
	"errors"
	"time"

	"github.com/cloakroom/cloakroom/session/local"
	"github.com/cloakroom/cloakroom/session/storage"
)

const (
	// newsTime is how long after the end of a session its announcement may take to arrive where
	// somebody waits for it.
	newsTime = 250 * time.Millisecond
	// lateNewsTime is the same for streams, which can wait longer: on a busy machine the
	// announcement may take longer.
	lateNewsTime = time.Second
)

// Listen follows the store's change feed until ctx ends: subscribers learn of what other processes
// do to sessions as if this process had done it. While the feed is down, every session is read from
// the store. If the store has no feed, Listen returns at once. Call it once, in a goroutine of its
// own.
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
				for _, name := range m.broker.names() { // changes while the feed was down were missed
					r.Add(name)
				}
			}
		},
		Broken: func(cause error) {
			if m.cache.Broken() {
				m.log.Warn("changes of sessions are not heard; every session is read from the store",
					"error", cause)
			}
		},
	}.Follow(ctx)
}

// heard processes a change that any process made, including this one. For this process's own
// changes it has no further effect.
func (m *Manager) heard(c storage.Change, r *local.Refresher[Name]) {
	name := Name(c.Name)
	switch c.Kind {
	case storage.RecordUpdated:
		m.cache.Changed(name, c.Version)
		m.broker.notify(name)
		if m.broker.subscribers(name) > 0 {
			r.Add(name)
		}
	case storage.RecordTouched:
		m.cache.Replace(name, func(s *Session) *Session {
			return s.activeAt(c.LastActive, c.IdleExpires)
		})
		if m.broker.subscribers(name) > 0 {
			r.Add(name)
		}
	case storage.RecordEnded:
		m.tombstones.Heard(name, Reason(c.Reason), m.now())
		m.cache.Drop(name)
		m.touches.forget(name)
		m.broker.ended(name, Reason(c.Reason))
	}
}

// refresh reads a session and tells its subscribers. If it is gone, it ended without an
// announcement.
func (m *Manager) refresh(ctx context.Context, name Name, r *local.Refresher[Name]) {
	ctx, cancel := context.WithTimeout(ctx, endTime)
	defer cancel()
	s, err := m.Get(ctx, name)
	switch {
	case err == nil:
		m.broker.changed(s)
	case errors.Is(err, ErrSessionExpired):
		m.broker.ended(name, ReasonExpired)
	case errors.Is(err, ErrNoSession):
		if reason, known := m.tombstones.End(name, m.now()); known && reason != "" {
			m.broker.ended(name, reason)
			return
		}
		r.Later(lateNewsTime, func() { m.miss(name) })
	default:
		m.broker.notify(name) // once the store works again, the feed comes up and refresh runs again
	}
}

// miss announces the end of a session whose reason is unknown, unless the store has announced it
// since.
func (m *Manager) miss(name Name) {
	reason, known := m.tombstones.End(name, m.now())
	if !known || reason == "" {
		reason = ReasonRevoked
	}
	m.broker.ended(name, reason)
}
