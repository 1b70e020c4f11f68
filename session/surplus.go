package session

import (
	"cmp"
	"context"
	"slices"
	"strings"
)

// surplusShare is the fraction of a user's sessions that is ended at once if there are too many.
// Finding those that were idle the longest means reading all of them, which must not happen at each
// of a flood of logins.
const surplusShare = 100

// endSurplus ends sessions of a user who has too many, the longest idle first, and never the one
// that just started: so nobody with an account can fill the store by logging in. If it fails, the
// user's next login tries again.
func (m *Manager) endSurplus(ctx context.Context, started *Session) {
	if m.maxPerUser == 0 {
		return
	}
	ctx, cancel := detached(ctx, endTime)
	defer cancel()
	key := subjectKey(started.Record.Provider, started.Record.Subject)
	names, err := m.finder.Find(ctx, key)
	if err == nil && len(names) > m.maxPerUser {
		err = m.endLongestIdle(ctx, started)
	}
	if err != nil {
		m.log.WarnContext(ctx, "whether a user has too many sessions is not known",
			"session", started.Record.ID, "error", err)
	}
}

// endLongestIdle ends sessions of a user, the longest idle first, until few enough are left. It
// spares those that started after the given one, which ends last. So of two concurrent logins the
// later one ends the earlier one, and they never end each other.
func (m *Manager) endLongestIdle(ctx context.Context, started *Session) error {
	r := started.Record
	all, err := m.OfUser(ctx, r.Provider, r.Issuer, r.Subject)
	if err != nil || len(all) <= m.maxPerUser {
		return err // some sessions in the index had already ended
	}
	surplus := len(all) - (m.maxPerUser - m.maxPerUser/surplusShare)
	older := slices.DeleteFunc(all, func(s *Session) bool { return byStart(s, started) > 0 })
	slices.SortFunc(older, func(a, b *Session) int { return a.LastActive.Compare(b.LastActive) })
	for _, s := range older[:min(surplus, len(older))] {
		if err := m.End(ctx, s.Name, ReasonSurplus); err != nil {
			return err
		}
	}
	return nil
}

// byStart orders sessions by when they started, and by name if they started at the same time.
func byStart(a, b *Session) int {
	return cmp.Or(
		a.Record.CreatedAt.Compare(b.Record.CreatedAt),
		strings.Compare(string(a.Name), string(b.Name)),
	)
}
