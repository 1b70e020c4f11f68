package session

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/cloakroom/cloakroom/session/storage"
)

// endTime bounds the end of a session, which does not stop when the caller goes away: a logout that
// was asked for is done.
const endTime = 5 * time.Second

// End ends a session: its record goes and its tokens are in the outbox, in one step of the store. It
// returns nil when the session was gone already, and an error that is ErrUnavailable when the store did
// not do it, or may lose it in a fail-over; then nobody may be told that it has ended for good (ST2). It goes on when ctx is cancelled, but keeps
// ctx's deadline.
func (m *Manager) End(ctx context.Context, name Name, reason Reason) error {
	_, err := m.endFirst(ctx, name, reason)
	return err
}

// Logout ends a session that its user ends; the error is End's. It reports whether it was this call
// that ended it: of several, one alone.
func (m *Manager) Logout(ctx context.Context, name Name) (first bool, err error) {
	call := &scsCall{reason: ReasonLogout}
	ctx, err = m.scs.Load(call.in(ctx), known(name))
	if err != nil {
		return false, err
	}
	err = m.scs.Destroy(ctx)
	return call.first, err
}

// endFirst is End that also reports whether it was this call that ended the session.
func (m *Manager) endFirst(ctx context.Context, name Name, reason Reason) (first bool, err error) {
	if name == "" {
		return false, nil
	}
	ctx, cancel := detached(ctx, endTime)
	defer cancel()
	if reason == ReasonRefused {
		m.markRefused(ctx, name)
	}
	first, err = m.ends.end(ctx, name, reason, m.now())
	if !first {
		m.cache.Drop(name) // after an error it may have been done all the same
	}
	return first, Unavailable(err)
}

// EndExpired ends at most limit sessions that ran out and returns how many it ended. When it is limit,
// there may be more. It must be called all the time, since it is also how outages are noticed. After an outage it ends
// sessions later by the length of that, until an idle time-out has passed.
func (m *Manager) EndExpired(ctx context.Context, limit int) (int, error) {
	if err := m.Ping(ctx); err != nil {
		return 0, err
	}
	n, err := m.ends.endExpired(ctx, m.idle.SweepUntil(m.now()), limit)
	return n, Unavailable(err)
}

// An ender is the one way to end a session. It alone holds what ends records in the store, so that
// nobody can end one and leave a subscriber, the cache, a tombstone or the log without the news.
type ender struct {
	records interface {
		End(ctx context.Context, name, reason string, at time.Time) error
		EndExpired(ctx context.Context, reason string, now time.Time, limit int) ([]string, error)
	}
	announce func(context.Context, Name, Reason)
}

// end ends one session, and reports whether it was this call that did. With an error it may have been done
// all the same; first beside an error means that the store did it, and may lose it in a fail-over.
func (e ender) end(ctx context.Context, name Name, reason Reason, at time.Time) (first bool, err error) {
	err = e.records.End(ctx, string(name), string(reason), at)
	switch {
	case err == nil, errors.Is(err, storage.ErrUnconfirmed):
		e.announce(ctx, name, reason)
		return true, err
	case errors.Is(err, storage.ErrNotFound):
		return false, nil
	}
	return false, err
}

// endExpired ends at most limit sessions that ran out until a moment, and returns how many. Those that were
// ended before an error are told, too.
func (e ender) endExpired(ctx context.Context, until time.Time, limit int) (int, error) {
	names, err := e.records.EndExpired(ctx, string(ReasonExpired), until, limit)
	for _, name := range names {
		e.announce(ctx, Name(name), ReasonExpired)
	}
	return len(names), err
}

// announce tells everybody that a session is over. Every end comes through here, exactly once: the
// store says of one caller alone that it was the one who ended it.
func (m *Manager) announce(ctx context.Context, name Name, reason Reason) {
	who := m.tombstones.Ended(name, reason, m.now())
	m.cache.Drop(name)
	m.touches.forget(name)
	m.hub.ended(name, reason)
	m.metrics.sessionEnded(reason, who)
	attrs := []slog.Attr{slog.String("reason", string(reason))}
	if who != nil {
		attrs = append(attrs, slog.String("session", who.ID), slog.String("provider", who.Provider), slog.Int("renewals", who.Renewals))
	}
	m.log.LogAttrs(ctx, slog.LevelInfo, "session ended", attrs...)
}

// EndReason is why a session ended, where that is known: if it ended not long ago, here or at a replica that the
// store tells us of.
func (m *Manager) EndReason(name Name) (Reason, bool) {
	reason, known := m.tombstones.End(name, m.now())
	return reason, known && reason != ""
}

// Continued reports whether a session has gone on under a new ticket, and not longer ago than that.
func (m *Manager) Continued(name Name, notLongerAgo time.Duration) bool {
	reason, at, _ := m.tombstones.EndedAt(name)
	return reason == ReasonContinued && m.now().Before(at.Add(notLongerAgo))
}

// EndedSince reports whether a session is known to have ended after a moment, other than by running out.
func (m *Manager) EndedSince(name Name, moment time.Time) bool {
	reason, at, known := m.tombstones.EndedAt(name)
	return known && reason != ReasonExpired && at.After(moment)
}

// detached is ctx without its cancellation, with its deadline or one in atMost, whichever is sooner.
func detached(ctx context.Context, atMost time.Duration) (context.Context, context.CancelFunc) {
	free, cancel := context.WithTimeout(context.WithoutCancel(ctx), atMost)
	deadline, ok := ctx.Deadline()
	if !ok {
		return free, cancel
	}
	sooner, cancelSooner := context.WithDeadline(free, deadline)
	return sooner, func() { cancelSooner(); cancel() }
}
