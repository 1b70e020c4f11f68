package session

import (
	"context"
	"errors"
)

// End ends a session: its record goes, and its tokens are in the outbox with the same step. Ending
// one that is over already is no error. An error is ErrUnavailable, and then nothing happened.
func (m *Manager) End(ctx context.Context, name Name, reason Reason) error {
	known, _ := m.cache.get(name, m.now()) // for the log alone
	err := m.store.End(ctx, name, reason, m.now())
	if err != nil && !errors.Is(err, ErrNotFound) {
		return Unavailable(err)
	}
	if errors.Is(err, ErrNotFound) {
		m.cache.drop(name) // ended elsewhere: whoever did it announced it
		return nil
	}
	m.announce(ctx, name, reason, known)
	return nil
}

// EndExpired ends at most limit sessions whose time is up and returns how many it ended. The
// sweeper calls it; on any number of replicas each session is ended by one.
func (m *Manager) EndExpired(ctx context.Context, limit int) (int, error) {
	names, err := m.store.EndExpired(ctx, m.now(), limit)
	for _, n := range names {
		m.announce(ctx, n, ReasonExpired, nil)
	}
	return len(names), Unavailable(err)
}

// announce is what every end comes to, whatever brought it about: the cache forgets the session,
// its streams are closed, its listeners told, and the log has a line.
func (m *Manager) announce(ctx context.Context, name Name, reason Reason, known *Session) {
	m.cache.drop(name)
	m.recent.Add(name, reason)
	for _, fn := range m.onEnd {
		fn(name, reason)
	}
	m.hub.publish(name, Event{Kind: Ended, Reason: reason})
	m.metrics.ended.WithLabelValues(string(reason)).Inc()
	attrs := []any{"reason", reason, "name", short(name)}
	if known != nil {
		attrs = append(attrs, "session", known.Record.ID, "provider", known.Record.Provider)
		if known.Record.Renewals == 0 && !known.Record.RefreshToken.IsZero() {
			m.metrics.unrenewed.WithLabelValues(known.Record.Provider).Inc()
		}
	}
	m.log.InfoContext(ctx, "session ended", attrs...)
}
