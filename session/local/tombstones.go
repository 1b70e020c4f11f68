package local

import (
	"time"

	lru "github.com/hashicorp/golang-lru/v2"
)

// EndsKept is how long the end of a session is remembered. A session that ended never comes back.
const EndsKept = time.Hour

const (
	maxTombstones = 10_000
	// missTime is how long it is remembered that the store did not know a name. It is short because
	// the store may be wrong: it may have just been restored from a backup, or be a replica that
	// lags.
	missTime = 2 * time.Second
)

// Tombstones remember what the store no longer knows: why sessions, named by N, ended, and whose
// they were. They are bounded; what was forgotten costs a call of the store and a less precise
// answer. They are safe for concurrent use.
type Tombstones[N comparable, R ~string] struct {
	ends *lru.Cache[N, ending[R]]
	who  *lru.Cache[N, Identity]
}

// An ending says why and when a session ended; reason is "" if nobody here knows.
type ending[R ~string] struct {
	reason R
	until  time.Time // when to forget it
}

// An Identity is what the audit log and metrics need to know of an ended session.
type Identity struct {
	ID, Provider string
	Renewable    bool
	Renewals     int
}

// NewTombstones makes empty Tombstones.
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

// Opened remembers whose session a name is.
func (t *Tombstones[N, R]) Opened(name N, who Identity) { t.who.Add(name, who) }

// Ended remembers why a session ended and returns whose it was, nil if that is not known.
func (t *Tombstones[N, R]) Ended(name N, reason R, now time.Time) *Identity {
	t.Heard(name, reason, now)
	who, ok := t.who.Peek(name)
	if !ok {
		return nil
	}
	t.who.Remove(name)
	return &who
}

// Heard remembers why a session ended, either before the end is announced here or after another
// process announced it. The identity is kept for the announcement.
func (t *Tombstones[N, R]) Heard(name N, reason R, now time.Time) {
	t.ends.Add(name, ending[R]{reason, now.Add(EndsKept)})
}

// Missed remembers for a moment that the store does not know a name. So a well-signed ticket of a
// session long gone does not cost a read of the store at each request.
func (t *Tombstones[N, R]) Missed(name N, now time.Time) {
	t.ends.Add(name, ending[R]{until: now.Add(missTime)})
}

// EndedAt returns why and when a session ended, and false if that is not known.
func (t *Tombstones[N, R]) EndedAt(name N) (reason R, at time.Time, known bool) {
	e, ok := t.ends.Get(name)
	return e.reason, e.until.Add(-EndsKept), ok && e.reason != ""
}

// End reports whether a session is known to have ended, and why.
func (t *Tombstones[N, R]) End(name N, now time.Time) (reason R, ended bool) {
	e, ok := t.ends.Get(name)
	if !ok || now.After(e.until) {
		return "", false
	}
	return e.reason, true
}
