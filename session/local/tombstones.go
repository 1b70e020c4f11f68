package local

import (
	"time"

	lru "github.com/hashicorp/golang-lru/v2"
)

// EndsKept is how long an end is remembered. A session that ended never comes back.
const EndsKept = time.Hour

const (
	maxTombstones = 10_000
	// missTime is how long it is remembered that the store did not know a name. It is short: a store that
	// was just restored from a copy, or a replica that lags, may be wrong about that.
	missTime = 2 * time.Second
)

// Tombstones remember what the store can't tell any more: why sessions, named by N, ended, and whose they
// were. Bounded; what was forgotten costs a look into the store and a less precise answer. They are safe for
// concurrent use.
type Tombstones[N comparable, R ~string] struct {
	ends *lru.Cache[N, ending[R]]
	who  *lru.Cache[N, Identity]
}

// An ending is why and when a session ended; reason "" when nobody here knows.
type ending[R ~string] struct {
	reason R
	until  time.Time // when to forget it
}

// An Identity is what the audit log and metrics say of a session that ended.
type Identity struct {
	ID, Provider string
	Renewable    bool
	Renewals     int
}

// NewTombstones returns none yet.
func NewTombstones[N comparable, R ~string]() *Tombstones[N, R] {
	ends, err := lru.New[N, ending[R]](maxTombstones)
	if err != nil {
		panic("local: " + err.Error()) // the size is positive
	}
	who, err := lru.New[N, Identity](maxTombstones)
	if err != nil {
		panic("local: " + err.Error())
	}
	return &Tombstones[N, R]{ends, who}
}

// Met remembers whose a session is.
func (t *Tombstones[N, R]) Met(name N, who Identity) { t.who.Add(name, who) }

// Ended remembers why a session ended and returns whose it was; nil when that is not known.
func (t *Tombstones[N, R]) Ended(name N, reason R, now time.Time) *Identity {
	t.Heard(name, reason, now)
	who, ok := t.who.Peek(name)
	if !ok {
		return nil
	}
	t.who.Remove(name)
	return &who
}

// Heard remembers why a session ended, before it is announced here, or after it was announced elsewhere. Whose it was
// stays known for the announcement.
func (t *Tombstones[N, R]) Heard(name N, reason R, now time.Time) {
	t.ends.Add(name, ending[R]{reason, now.Add(EndsKept)})
}

// Missed remembers for a moment that the store does not know a name, so that a well-signed ticket of a
// session long gone does not cost a read at each request (ST4).
func (t *Tombstones[N, R]) Missed(name N, now time.Time) {
	t.ends.Add(name, ending[R]{until: now.Add(missTime)})
}

// EndedAt is why and when a session ended; false when that is not known.
func (t *Tombstones[N, R]) EndedAt(name N) (reason R, at time.Time, known bool) {
	e, ok := t.ends.Get(name)
	return e.reason, e.until.Add(-EndsKept), ok && e.reason != ""
}

// End reports whether a session is known to be over, and why.
func (t *Tombstones[N, R]) End(name N, now time.Time) (reason R, ended bool) {
	e, ok := t.ends.Get(name)
	if !ok || now.After(e.until) {
		return "", false
	}
	return e.reason, true
}
