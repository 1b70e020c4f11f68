package session

import (
	"time"

	lru "github.com/hashicorp/golang-lru/v2"
)

const (
	maxPast = 10_000
	// pastTime is how long an end is remembered. A session that ended never comes back.
	// missTime is how long it is remembered that the store did not know a name. It is short: a store that
	// was just restored from a copy, or a replica that lags, may be wrong about that.
	pastTime = time.Hour
	missTime = 2 * time.Second
)

// A past remembers what the store can't tell any more: why sessions ended, and whose they were.
// Bounded; what it forgot costs a look into the store and a less precise answer.
type past struct {
	ends *lru.Cache[Name, ending]
	who  *lru.Cache[Name, identity]
}

// An ending is why and when a session ended; reason "" when nobody here knows.
type ending struct {
	reason Reason
	until  time.Time // when to forget it
}

// An identity is what the audit log and metrics say of a session that ended.
type identity struct {
	id, provider string
	renewable    bool
	renewals     int
}

func newPast() *past {
	ends, err := lru.New[Name, ending](maxPast)
	if err != nil {
		panic("session: " + err.Error()) // the size is positive
	}
	who, err := lru.New[Name, identity](maxPast)
	if err != nil {
		panic("session: " + err.Error())
	}
	return &past{ends, who}
}

// met remembers whose session s is.
func (p *past) met(s *Session) {
	r := s.Record
	p.who.Add(s.Name, identity{r.ID, r.Provider, !r.RefreshToken.IsZero(), r.Renewals})
}

// ended remembers why a session ended and returns whose it was; nil when that is not known.
func (p *past) ended(name Name, reason Reason, now time.Time) *identity {
	p.ends.Add(name, ending{reason, now.Add(pastTime)})
	who, ok := p.who.Peek(name)
	if !ok {
		return nil
	}
	p.who.Remove(name)
	return &who
}

// heard remembers why a session ended, before it is announced here, or after it was announced elsewhere. Whose it was
// stays known for the announcement.
func (p *past) heard(name Name, reason Reason, now time.Time) {
	p.ends.Add(name, ending{reason, now.Add(pastTime)})
}

// missed remembers for a moment that the store does not know a name, so that a well-signed ticket of a
// session long gone does not cost a read at each request (ST4).
func (p *past) missed(name Name, reason Reason, now time.Time) {
	if reason == "" {
		p.ends.Add(name, ending{until: now.Add(missTime)})
	}
}

// EndReason is why a session ended, where that is known: if it ended not long ago, here or at a replica that the
// store tells us of.
func (m *Manager) EndReason(name Name) (Reason, bool) {
	reason, known := m.past.end(name, m.now())
	return reason, known && reason != ""
}

// Continued reports whether a session has gone on under a new ticket, and not longer ago than that.
func (m *Manager) Continued(name Name, notLongerAgo time.Duration) bool {
	now := m.now()
	e, ok := m.past.ends.Get(name)
	return ok && e.reason == ReasonContinued && now.Before(e.until.Add(notLongerAgo-pastTime))
}

// EndedSince reports whether a session is known to have ended after a moment, other than by running out.
func (m *Manager) EndedSince(name Name, moment time.Time) bool {
	e, ok := m.past.ends.Get(name)
	return ok && e.reason != "" && e.reason != ReasonExpired && e.until.Add(-pastTime).After(moment)
}

// end reports whether a session is known to be over, and why.
func (p *past) end(name Name, now time.Time) (reason Reason, ended bool) {
	e, ok := p.ends.Get(name)
	if !ok || now.After(e.until) {
		return "", false
	}
	return e.reason, true
}
