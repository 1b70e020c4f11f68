package session

import (
	"context"
	"fmt"
	"net/http"
	"time"
)

// Start begins a session for rec under a new ticket and sets its cookie on w. Then previous, the
// session this browser had before, ends with ReasonReplaced ("" for none). Start fills in rec's ID,
// LogoutID, CreatedAt and ExpiresAt; an ExpiresAt that the caller set is kept if it is earlier. An error is
// ErrUnavailable; nothing was set then.
func (m *Manager) Start(ctx context.Context, w http.ResponseWriter, rec *Record, previous Name) (*Session, error) {
	now := m.now()
	rec.ID, rec.LogoutID, rec.CreatedAt = randomID(), randomID(), now
	if latest := now.Add(m.lifetime); rec.ExpiresAt.IsZero() || rec.ExpiresAt.After(latest) {
		rec.ExpiresAt = latest
	}
	st := &starting{record: rec, idleExpires: m.idleFrom(now), at: now}
	token, err := m.create(context.WithValue(ctx, startingKey{}, st), rec)
	if err != nil {
		return nil, err
	}
	value, err := m.tickets.sign(token, now)
	if err != nil {
		return nil, fmt.Errorf("sign ticket: %w", err)
	}
	m.writeCookie(w, value, rec.ExpiresAt)
	s := &Session{Name: nameOf(token), Version: 1, Record: rec, IdleExpires: st.idleExpires, LastActive: now}
	m.cache.put(s, m.cache.epoch(s.Name), now)
	m.metrics.started.WithLabelValues(rec.Provider).Inc()
	m.log.InfoContext(ctx, "session started", "session", rec.ID, "provider", rec.Provider)
	if previous != "" && previous != s.Name {
		if err := m.End(ctx, previous, ReasonReplaced); err != nil {
			m.log.WarnContext(ctx, "the session that a new login replaced could not be ended; it ends when it expires", "error", err)
		}
	}
	return s, nil
}

// create has scs make a token and write the record under it.
func (m *Manager) create(ctx context.Context, rec *Record) (token string, err error) {
	sctx, err := m.scs.Load(ctx, "")
	if err != nil {
		return "", fmt.Errorf("begin session: %w", err)
	}
	m.scs.SetDeadline(sctx, rec.ExpiresAt)
	m.scs.Put(sctx, recordKey, rec)
	token, _, err = m.scs.Commit(sctx)
	if err != nil {
		return "", err
	}
	return token, nil
}

// idleFrom is when a session that is active at t becomes idle; zero without an idle time-out.
func (m *Manager) idleFrom(t time.Time) time.Time {
	if m.idle == 0 {
		return time.Time{}
	}
	return t.Add(m.idle)
}
