package renewal

import (
	"sync"
	"time"

	"github.com/hashicorp/golang-lru/v2/simplelru"

	"github.com/cloakroom/cloakroom/session"
)

const (
	// enoughRefusals in a row, over patienceWithRefusals at least, amount to one that says so.
	enoughRefusals       = 5
	patienceWithRefusals = 5 * time.Minute
	// maxNeighbours is how many users of one provider are remembered, the latest.
	maxNeighbours = 4096
)

// A refusals remembers which sessions a provider has refused to renew in words that say nothing of the
// user, and how other users fared meanwhile. A provider that renews the others and not this one, again
// and again, has something against this session that only a login can clear up. One that fails many
// users has troubles of its own, and nobody is sent to log in for them.
//
// It is of this process alone: each replica sees enough by itself, and what it comes to is in the record.
type refusals struct {
	mu         sync.Mutex                                 // guards what follows
	runs       *simplelru.LRU[session.Name, run]          // of those refused lately
	neighbours map[string]*simplelru.LRU[string, fortune] // by provider and subject
}

// A run is refusals of one session with no renewal between them.
type run struct {
	renewals  int // of the record: another process may have renewed it
	count     int
	first     time.Time
	breakdown bool // whether one of them was a 5xx
}

// A fortune is how one user fared, with whichever session: each counts once, however many they have.
type fortune struct{ renewed, brokeDown time.Time }

func newRefusals() *refusals {
	runs, err := simplelru.NewLRU[session.Name, run](maxPauses, nil)
	if err != nil {
		panic(err) // only for a size below one
	}
	return &refusals{runs: runs, neighbours: map[string]*simplelru.LRU[string, fortune]{}}
}

// renewed notes that the provider has renewed a session.
func (r *refusals) renewed(s *session.Session, now time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.runs.Remove(s.Name)
	r.note(s, func(f *fortune) { f.renewed = now })
}

func (r *refusals) note(s *session.Session, change func(*fortune)) {
	users := r.neighbours[s.Record.Provider]
	if users == nil {
		var err error
		if users, err = simplelru.NewLRU[string, fortune](maxNeighbours, nil); err != nil {
			panic(err) // only for a size below one
		}
		r.neighbours[s.Record.Provider] = users // there are as many as there are configured
	}
	f, _ := users.Get(userOf(s))
	change(&f)
	users.Add(userOf(s), f)
}

// userOf names a user of a provider: the issuer and its subject (OIDC Core §2). No issuer holds a blank.
func userOf(s *session.Session) string { return s.Record.Issuer + " " + s.Record.Subject }

// amountToOne notes an error that a session's renewal was answered with, and reports whether it is the
// last of so many that only a login will help.
func (r *refusals) amountToOne(s *session.Session, err error, now time.Time) bool {
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
		r.note(s, func(f *fortune) { f.brokeDown = now })
	}
	r.runs.Add(s.Name, this)
	if this.count < enoughRefusals || now.Sub(this.first) < patienceWithRefusals {
		return false
	}
	return r.othersFareBetter(s, this)
}

// othersFareBetter reports whether the provider has renewed anybody else's session during a run. After
// a 5xx it must have renewed at least as many users as it still fails, this one included: a provider that
// is half down fails more than one.
func (r *refusals) othersFareBetter(s *session.Session, this run) bool {
	users := r.neighbours[s.Record.Provider]
	if users == nil {
		return false
	}
	well, broken := 0, 1
	for _, user := range users.Keys() {
		f, _ := users.Peek(user)
		if !f.renewed.Before(this.first) {
			well++
		}
		if user != userOf(s) && !f.brokeDown.Before(this.first) && f.brokeDown.After(f.renewed) {
			broken++
		}
	}
	return well >= 1 && (!this.breakdown || well >= broken)
}
