package session

import (
	"context"
	"time"

	"github.com/cloakroom/cloakroom/session/local"
)

// A session that ends because the provider refused its refresh token has a browser that knows nothing
// of it: the renewal may have been behind a request that was answered. Its next request must be told to
// log in again, at whichever replica, so a mark in the store says so for an hour. The news of the end
// may come later than that request, or not at all where the replica has just been started.

// refusedMark is the mark of such a session. A name is a hash already.
func refusedMark(name Name) string { return "refused " + string(name) }

// markRefused makes the mark, before the end itself: whoever finds no record finds the mark. Without
// it, the end is as good, and its reason is known where it is heard of.
func (m *Manager) markRefused(ctx context.Context, name Name) {
	if _, err := m.marks.MarkOnce(ctx, refusedMark(name), m.now().Add(local.EndsKept)); err != nil {
		m.log.DebugContext(ctx, "why a session ends could not be noted", "error", err)
	}
}

// whyMissing is why there is no record of a name, "" when nobody knows. That it is not known is
// remembered for a moment.
func (m *Manager) whyMissing(ctx context.Context, name Name, now time.Time) Reason {
	if reason, _ := m.tombstones.End(name, now); reason != "" { // it ended while we asked
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
