package session

import (
	"context"
	"time"

	"github.com/cloakroom/cloakroom/session/local"
)

// If a session ends because the provider refused its refresh token, the browser does not know: the
// renewal may have run in the background. Its next request must be told to log in again, at any
// replica. So a mark in the store says so for an hour. The announcement of the end may arrive later
// than that request, or not at all if the replica was just started.

// refusedMark returns the mark of such a session. A name is already a hash.
func refusedMark(name Name) string { return "refused " + string(name) }

// markRefused sets the mark before the session ends, so that whoever finds no record finds the
// mark. If it fails, the session ends all the same, and those who hear the announcement know the
// reason.
func (m *Manager) markRefused(ctx context.Context, name Name) {
	if _, err := m.marks.MarkOnce(ctx, refusedMark(name), m.now().Add(local.EndsKept)); err != nil {
		m.log.DebugContext(ctx, "why a session ends could not be noted", "error", err)
	}
}

// whyMissing returns why there is no record of a name, "" if that is unknown. It remembers for a
// moment that it is unknown.
func (m *Manager) whyMissing(ctx context.Context, name Name, now time.Time) Reason {
	if reason, _ := m.tombstones.End(name, now); reason != "" { // it ended during the read
		return reason
	}
	if marked, err := m.marks.Marked(ctx, refusedMark(name)); err == nil && marked {
		m.tombstones.Heard(name, ReasonRefused, now)
		return ReasonRefused
	}
	reason, _ := m.tombstones.End(name, now)
	if reason == "" {
		m.tombstones.Missed(name, now)
	}
	return reason
}
