package session

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/cloakroom/cloakroom/session/storage"
)

// endTime bounds the end of a session, which continues when the caller goes away: a requested
// logout must happen.
const endTime = 5 * time.Second

// End ends a session: in one step of the store, its record is removed and its tokens go to the
// outbox. It returns nil if the session was already gone. It returns an error that is
// ErrUnavailable if the store did not end it, or may lose the end in a fail-over; then nobody may
// be told that the session has ended for good. End continues when ctx is canceled, but keeps ctx's
// deadline.
func (m *Manager) End(ctx context.Context, name Name, reason Reason) error {
	_, err := m.endFirst(ctx, name, reason)
	return err
}

// Logout ends a session at its user's request; the error is End's. It reports whether this very
// call ended the session, which is true for exactly one of several callers.
func (m *Manager) Logout(ctx context.Context, name Name) (first bool, err error) {
	call := &scsCall{reason: ReasonLogout}
	ctx, err = m.scs.Load(call.in(ctx), known(name))
	if err != nil {
		return false, err
	}
	err = m.scs.Destroy(ctx)
	return call.first, err
}

// endFirst is End, and also reports whether this very call ended the session.
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
		m.cache.Drop(name) // after an error, the session may have ended all the same
	}
	return first, Unavailable(err)
}

// EndExpired ends at most limit sessions that have expired, and returns how many it ended. If it
// returns limit, there may be more. It must be called at short intervals, because it is also how
// outages are noticed. After an outage, it ends sessions later by the length of the outage, until
// an idle time-out has passed.
func (m *Manager) EndExpired(ctx context.Context, limit int) (int, error) {
	if err := m.Ping(ctx); err != nil {
		return 0, err
	}
	n, err := m.ends.endExpired(ctx, m.idle.SweepUntil(m.now()), limit)
	return n, Unavailable(err)
}

// An ender is the only way to end a session. It alone holds the store's methods that end records,
// so no end can miss the subscribers, the cache, the tombstones or the log.
type ender struct {
	records interface {
		End(ctx context.Context, name, reason string, at time.Time) error
		EndExpired(ctx context.Context, reason string, now time.Time, limit int) ([]string, error)
	}
	announce func(context.Context, Name, Reason)
}

// end ends one session, and reports whether this very call did. With an error it may have ended all
// the same. If first is true beside an error, the store has ended it, but may lose that in a
// fail-over.
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

// endExpired ends at most limit sessions that had expired by until, and returns how many. It also
// announces those that were ended before an error.
func (e ender) endExpired(ctx context.Context, until time.Time, limit int) (int, error) {
	names, err := e.records.EndExpired(ctx, string(ReasonExpired), until, limit)
	for _, name := range names {
		e.announce(ctx, Name(name), ReasonExpired)
	}
	return len(names), err
}

// announce tells all parts of this process that a session has ended. Every end comes through here
// exactly once, because the store tells only one caller that it ended the session.
func (m *Manager) announce(ctx context.Context, name Name, reason Reason) {
	who := m.tombstones.Ended(name, reason, m.now())
	m.cache.Drop(name)
	m.touches.forget(name)
	m.broker.ended(name, reason)
	m.metrics.sessionEnded(reason, who)
	attrs := []slog.Attr{slog.String("reason", string(reason))}
	if who != nil {
		attrs = append(attrs,
			slog.String("session", who.ID),
			slog.String("provider", who.Provider),
			slog.Int("renewals", who.Renewals))
	}
	m.log.LogAttrs(ctx, slog.LevelInfo, "session ended", attrs...)
}

// EndReason returns why a session ended, if that is known: it ended not long ago, in this process
// or in another one whose changes the store announces.
func (m *Manager) EndReason(name Name) (Reason, bool) {
	reason, known := m.tombstones.End(name, m.now())
	return reason, known && reason != ""
}

// Continued reports whether a session has continued under a new ticket, at most notLongerAgo ago.
func (m *Manager) Continued(name Name, notLongerAgo time.Duration) bool {
	reason, at, _ := m.tombstones.EndedAt(name)
	return reason == ReasonContinued && m.now().Before(at.Add(notLongerAgo))
}

// EndedSince reports whether a session is known to have ended after a moment, other than by
// expiring.
func (m *Manager) EndedSince(name Name, moment time.Time) bool {
	reason, at, known := m.tombstones.EndedAt(name)
	return known && reason != ReasonExpired && at.After(moment)
}

// detached returns ctx without its cancellation, and with its deadline or one in atMost, whichever
// is sooner.
func detached(ctx context.Context, atMost time.Duration) (context.Context, context.CancelFunc) {
	free, cancel := context.WithTimeout(context.WithoutCancel(ctx), atMost)
	deadline, ok := ctx.Deadline()
	if !ok {
		return free, cancel
	}
	sooner, cancelSooner := context.WithDeadline(free, deadline)
	return sooner, func() { cancelSooner(); cancel() }
}
