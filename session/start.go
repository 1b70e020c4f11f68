package session

import (
	"context"
	"crypto/rand"
	"fmt"
	"net/http"
	"time"
)

// Start begins a session under a new ticket (SC5) and sets its cookie on w. Then it ends the previous session, if there
// is one, with ReasonReplaced, and sessions that the user has too many of. rec stays the caller's. Start fills in its
// LogoutID, and its ID, CreatedAt and ExpiresAt where they are not set. An ID says that the previous session goes on (see
// Continue); an ExpiresAt is the latest that the session may live to.
//
// The error is ErrEnded when the session that should go on was ended meanwhile; then none begins. An error that is
// ErrUnavailable leaves open whether the record was written; nobody has its ticket then, and the sweeper finds it.
func (m *Manager) Start(ctx context.Context, w http.ResponseWriter, rec *Record, previous Name) (*Session, error) {
	if err := m.Know(ctx); err != nil {
		return nil, fmt.Errorf("start session: %w", err)
	}
	now := m.now().UTC().Truncate(time.Millisecond)
	reason := ReasonContinued
	rec.LogoutID = rand.Text()
	if rec.ID == "" {
		rec.ID, rec.CreatedAt, reason = rand.Text(), now, ReasonReplaced
	}
	if latest := now.Add(m.lifetime).Truncate(time.Millisecond); rec.ExpiresAt.IsZero() || rec.ExpiresAt.After(latest) {
		rec.ExpiresAt = latest
	}
	kept, err := roundTrip(rec)
	if err != nil {
		return nil, fmt.Errorf("start session: %w", err)
	}
	cookies := w.Header()["Set-Cookie"]
	name, err := m.create(ctx, w, kept)
	if err != nil {
		return nil, fmt.Errorf("start session: %w", err)
	}
	s := &Session{
		Name: name, Version: 1, Record: kept, LastActive: now, IdleExpires: m.idleExpiry(now, kept.ExpiresAt),
	}
	m.past.met(s)
	m.metrics.started.WithLabelValues(kept.Provider).Inc()
	m.log.InfoContext(ctx, "session started", "session", kept.ID, "provider", kept.Provider)
	if first := m.replace(ctx, previous, reason); !first && reason == ReasonContinued && m.endedByOthers(ctx, previous) {
		w.Header()["Set-Cookie"] = cookies
		if err := m.End(ctx, name, ReasonLogout); err != nil { // nobody has its ticket; the sweeper finds it
			m.log.WarnContext(ctx, "session that was not to go on could not be ended", "session", kept.ID, "error", err)
		}
		return nil, fmt.Errorf("start session: %w", ErrEnded)
	}
	if reason != ReasonContinued {
		m.endSurplus(ctx, s)
	}
	return s, nil
}

// Continue makes rec, of a new login, the record of a session that goes on: with its public handle, its beginning
// and its absolute end, so that no further login makes a session live longer. It is ErrOtherUser when the session is
// not the same user's; otherwise errors are Get's. rec is then as it was.
func (m *Manager) Continue(ctx context.Context, rec *Record, previous Name) error {
	if previous == "" {
		return ErrNoSession
	}
	s, err := m.Get(ctx, previous)
	if err != nil {
		return err
	}
	old := s.Record
	if old.Provider != rec.Provider || old.Issuer != rec.Issuer || old.Subject != rec.Subject {
		return ErrOtherUser
	}
	rec.ID, rec.CreatedAt = old.ID, old.CreatedAt
	if rec.ExpiresAt.IsZero() || old.ExpiresAt.Before(rec.ExpiresAt) {
		rec.ExpiresAt = old.ExpiresAt
	}
	return nil
}

// create has scs make a ticket, write the record under its hash, and write the cookie.
func (m *Manager) create(ctx context.Context, w http.ResponseWriter, rec *Record) (Name, error) {
	ctx, err := m.scs.Load(ctx, "") // no token: a new session, whatever the browser brought along
	if err != nil {
		return "", err
	}
	m.scs.Put(ctx, recordKey, rec)
	m.scs.SetDeadline(ctx, rec.ExpiresAt)
	token, deadline, err := m.scs.Commit(ctx)
	if err != nil {
		return "", Unavailable(err)
	}
	t := ticket{value: token, issued: rec.CreatedAt}
	value, err := m.signer.sign(t)
	if err != nil {
		_ = m.scs.Destroy(withReason(ctx, ReasonRefused)) // nobody will ever have its cookie
		return "", err
	}
	m.scs.WriteSessionCookie(ctx, w, value, deadline)
	noStore(w)
	return t.name(), nil
}

// replace ends the session that a new one takes the place of, and reports whether nobody else has. The new one stands
// if that fails: the old one then ends when it runs out.
func (m *Manager) replace(ctx context.Context, previous Name, reason Reason) (first bool) {
	if previous == "" {
		return true
	}
	first, err := m.EndFirst(ctx, previous, reason)
	if err != nil {
		m.log.WarnContext(ctx, "session that a login replaced could not be ended", "error", err)
		return true
	}
	return first
}

// endedByOthers reports whether a session that is gone was ended, by a logout or whatever else, and does not go on under
// another ticket already. Another replica's news of that may be on its way.
func (m *Manager) endedByOthers(ctx context.Context, name Name) bool {
	reason, known := m.EndReason(name)
	if !known {
		select {
		case <-time.After(newsTime):
		case <-ctx.Done():
		}
		reason, _ = m.EndReason(name)
	}
	return reason != ReasonContinued && reason != ReasonExpired
}

// roundTrip is rec as it will be read again: a copy, its times in milliseconds.
func roundTrip(rec *Record) (*Record, error) {
	b, err := encode(rec)
	if err != nil {
		return nil, err
	}
	return decode(b)
}

// idleExpiry is when a session that was active at the given time ends if nothing more happens. The
// absolute expiry stays the last moment.
func (m *Manager) idleExpiry(active, expiresAt time.Time) time.Time {
	if m.idleTimeout == 0 {
		return time.Time{}
	}
	if t := active.Add(m.idleTimeout); t.Before(expiresAt) {
		return t
	}
	return expiresAt
}
