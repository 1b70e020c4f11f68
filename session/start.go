package session

import (
	"context"
	"crypto/rand"
	"fmt"
	"net/http"
	"time"

	"github.com/cloakroom/cloakroom/session/storage"
)

// Start begins a session under a new ticket and sets its cookie on w. Then it ends the previous
// session, if there is one, with ReasonReplaced, and sessions of a user who has too many. rec stays
// the caller's. Start sets its LogoutID, and its ID, CreatedAt and ExpiresAt if they are not set.
// If ID is set, the previous session continues (see Continue). If ExpiresAt is set, the session
// ends then at the latest.
//
// The error is ErrEnded if the session that should continue has ended in the meantime; then no
// session begins. After an error that is ErrUnavailable the record may have been written; nobody
// has its ticket, and the sweeper will end it.
func (m *Manager) Start(ctx context.Context, w http.ResponseWriter, rec *Record, previous Name) (*Session, error) {
	if err := m.Know(ctx); err != nil {
		return nil, fmt.Errorf("start session: %w", err)
	}
	now := m.now().UTC().Truncate(time.Millisecond)
	call := &scsCall{reason: ReasonContinued, starts: now}
	rec.LogoutID = rand.Text()
	if rec.ID == "" {
		rec.ID, rec.CreatedAt, call.reason = rand.Text(), now, ReasonReplaced
	}
	latest := now.Add(m.scs.Lifetime).Truncate(time.Millisecond)
	if rec.ExpiresAt.IsZero() || rec.ExpiresAt.After(latest) {
		rec.ExpiresAt = latest
	}
	if err := m.issue(call.in(ctx), w, rec, previous); err != nil {
		return nil, fmt.Errorf("start session: %w", err)
	}
	if call.reason != ReasonContinued {
		m.endSurplus(ctx, call.started)
	}
	return call.started, nil
}

// issue has scs make a new ticket in place of the previous session's, write the record under its
// hash, and set the cookie. ctx is a call's; see begin.
func (m *Manager) issue(ctx context.Context, w http.ResponseWriter, rec *Record, previous Name) error {
	ctx, err := m.scs.Load(ctx, known(previous))
	if err != nil {
		return err
	}
	if err := m.scs.RenewToken(ctx); err != nil {
		return err
	}
	value, err := m.signer.sign(ticket{value: m.scs.Token(ctx), issued: rec.CreatedAt})
	if err != nil {
		return err
	}
	m.scs.Put(ctx, recordKey, rec)
	m.scs.SetDeadline(ctx, rec.ExpiresAt) // RenewToken made it a whole lifetime, by this machine's clock
	_, deadline, err := m.scs.Commit(ctx)
	if err != nil {
		return err
	}
	m.scs.WriteSessionCookie(ctx, w, value, deadline)
	noStore(w)
	return nil
}

// begin writes the record of the session that a call starts, and then ends the one that it
// replaces. If that one was to continue, but somebody else has ended it, the new one ends, too, and
// the error is ErrEnded.
func (m *Manager) begin(ctx context.Context, call *scsCall, plain []byte) error {
	s, r := call.started, call.started.Record
	err := m.records.Create(ctx, storage.Entry{
		Name: string(s.Name), Version: s.Version, Sealed: m.keys.Seal(string(s.Name), plain),
		Provider: r.Provider, Indices: indices(r), CreatedAt: r.CreatedAt, ExpiresAt: r.ExpiresAt,
		LastActive: s.LastActive, IdleExpires: s.IdleExpires,
	})
	if err != nil {
		return Unavailable(err)
	}
	m.remember(s)
	m.metrics.started.WithLabelValues(r.Provider).Inc()
	m.log.InfoContext(ctx, "session started", "session", r.ID, "provider", r.Provider)
	first := m.replace(ctx, call.deleted, call.reason)
	if first || call.reason != ReasonContinued || !m.endedByOthers(ctx, call.deleted) {
		return nil
	}
	if err := m.End(ctx, s.Name, ReasonLogout); err != nil { // the sweeper ends it; nobody has its ticket
		m.log.WarnContext(ctx, "session that was not to go on could not be ended",
			"session", r.ID, "error", err)
	}
	return ErrEnded
}

// Continue makes rec, of a new login, the record of a session that continues: it gets that
// session's public handle, beginning and absolute end, so that no login makes a session live
// longer. It returns ErrOtherUser if the session is another user's; other errors are Get's. After
// an error rec is unchanged.
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

// replace ends the session that a new one replaces, and reports whether nobody else has ended it.
// If that fails, the new session stays, and the old one ends when it expires.
func (m *Manager) replace(ctx context.Context, previous Name, reason Reason) (first bool) {
	if previous == "" {
		return true
	}
	first, err := m.endFirst(ctx, previous, reason)
	if err != nil {
		m.log.WarnContext(ctx, "session that a login replaced could not be ended", "error", err)
		return true
	}
	return first
}

// endedByOthers reports whether a session that is gone has ended, by a logout or otherwise, and has
// not continued under another ticket. It waits a moment for another replica's announcement.
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

// idleExpiry returns when a session that was last active at the given time ends. It is never after
// the absolute expiry.
func (m *Manager) idleExpiry(active, expiresAt time.Time) time.Time {
	if m.idleTimeout == 0 {
		return time.Time{}
	}
	if t := active.Add(m.idleTimeout); t.Before(expiresAt) {
		return t
	}
	return expiresAt
}
