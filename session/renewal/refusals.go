package renewal

import (
	"sync"
	"time"

	"github.com/hashicorp/golang-lru/v2/simplelru"

	"github.com/cloakroom/cloakroom/session"
)

const (
	// minRefusals in a row, over at least minRefusalTime, count as a refusal that only a login can
	// resolve.
	minRefusals    = 5
	minRefusalTime = 5 * time.Minute
	// maxUsers is how many users are remembered for each provider; the oldest are forgotten.
	maxUsers = 4096
)

// refusals remember which sessions a provider has refused to renew with errors that say nothing
// about the user, and whether it renewed other users' sessions in the same time. If it renews the
// others, but again and again not this one, only a login can help. If it fails many users, the
// provider itself has a problem, and nobody is asked to log in.
//
// They are kept in this process only: each replica sees enough by itself, and writes its conclusion
// to the record.
type refusals struct {
	mu    sync.Mutex                                  // guards the fields below
	runs  *simplelru.LRU[session.Name, run]           // of sessions that were refused lately
	users map[string]*simplelru.LRU[string, activity] // by provider and user
}

// A run is a series of refusals of one session without a renewal in between.
type run struct {
	renewals  int // of the record: another process may have renewed it
	count     int
	first     time.Time
	breakdown bool // whether one of them was a 5xx
}

// An activity says when a user's sessions were last renewed and last failed. Each user counts once,
// however many sessions they have.
type activity struct{ renewed, brokeDown time.Time }

func newRefusals() *refusals {
	runs, err := simplelru.NewLRU[session.Name, run](maxPauses, nil)
	if err != nil {
		panic(err) // only for a size below one
	}
	return &refusals{runs: runs, users: map[string]*simplelru.LRU[string, activity]{}}
}

// renewed records that the provider has renewed a session.
func (r *refusals) renewed(s *session.Session, now time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.runs.Remove(s.Name)
	r.note(s, func(a *activity) { a.renewed = now })
}

func (r *refusals) note(s *session.Session, change func(*activity)) {
	users := r.users[s.Record.Provider]
	if users == nil {
		var err error
		if users, err = simplelru.NewLRU[string, activity](maxUsers, nil); err != nil {
			panic(err) // only for a size below one
		}
		r.users[s.Record.Provider] = users // at most as many as providers are configured
	}
	a, _ := users.Get(userOf(s))
	change(&a)
	users.Add(userOf(s), a)
}

// userOf identifies a user of a provider by issuer and subject (OIDC Core §2). No issuer contains a
// space.
func userOf(s *session.Session) string { return s.Record.Issuer + " " + s.Record.Subject }

// needLogin records an error that a provider answered to a session's renewal, and reports whether
// there were so many that only a login can help.
func (r *refusals) needLogin(s *session.Session, err error, now time.Time) bool {
	kind := kindOf(err)
	if kind == noRefusal {
		return false
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	this, known := r.runs.Get(s.Name)
	if !known || this.renewals != s.Record.Renewals {
		this = run{renewals: s.Record.Renewals, first: now}
	}
	this.count++
	if kind == breakdown {
		this.breakdown = true
		r.note(s, func(a *activity) { a.brokeDown = now })
	}
	r.runs.Add(s.Name, this)
	if this.count < minRefusals || now.Sub(this.first) < minRefusalTime {
		return false
	}
	return r.othersAreRenewed(s, this)
}

// othersAreRenewed reports whether the provider has renewed another user's session during a run.
// After a 5xx it must have renewed at least as many users as it still fails, this one included: a
// provider that is partly down fails more than one.
func (r *refusals) othersAreRenewed(s *session.Session, this run) bool {
	users := r.users[s.Record.Provider]
	if users == nil {
		return false
	}
	renewed, failing := 0, 1
	for _, user := range users.Keys() {
		a, _ := users.Peek(user)
		if !a.renewed.Before(this.first) {
			renewed++
		}
		if user != userOf(s) && !a.brokeDown.Before(this.first) && a.brokeDown.After(a.renewed) {
			failing++
		}
	}
	return renewed >= 1 && (!this.breakdown || renewed >= failing)
}
