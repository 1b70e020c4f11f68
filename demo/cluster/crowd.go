package cluster

import (
	"context"
	"maps"
	"net/http"
	"sync"
	"time"
)

// A Tally counts what the users have observed.
type Tally struct {
	Users, LoggedIn int
	Logins, Logouts int
	LoginsFailed    int
	Calls, OK       int
	Waiting         int    // users who have waited for an answer longer than longWait
	Unavailable     int    // answers 503 of the service
	LastUnavailable string // code of the last of them
	Failed          int    // other answers that are neither 200 nor 401
	Lost            int    // calls without an answer
	LastFailure     string
	Slowest         time.Duration // of the calls answered 200
	HeardLate       int           // answers 200 within max_staleness after the user's logout
	// These must stay 0.
	WronglyOut          int // answers 401 to a user who did not log out
	AnsweredAfterLogout int // answers 200 longer than max_staleness after the user's logout
}

// longWait is the time after which a user without an answer counts as waiting.
const longWait = 2 * time.Second

// A WrongLogout is a user who was logged out without asking for it.
type WrongLogout struct {
	SID, Code string
	At        time.Time
}

// A Crowd is many simulated users.
type Crowd struct {
	app            string
	name, password string        // at the provider; all users share them
	pace           time.Duration // between two calls of one user, on average
	stay           time.Duration // between a login and a logout, on average
	transport      http.RoundTripper

	mu      sync.Mutex // guards the fields below
	tally   Tally
	wrong   []WrongLogout
	in      map[string]bool     // by sid: whether the user is still logged in
	tickets map[string]string   // by sid: the Cookie header of ended logins
	waits   map[*user]time.Time // start of the call in progress
}

func newCrowd(app, name, password string, pace, stay time.Duration) *Crowd {
	return &Crowd{
		app: app, name: name, password: password, pace: pace, stay: stay,
		transport: &http.Transport{MaxIdleConnsPerHost: 1000, IdleConnTimeout: 30 * time.Second},
		in:        map[string]bool{}, tickets: map[string]string{}, waits: map[*user]time.Time{},
	}
}

// LogIn logs one more user in, who sends no requests, and returns the user's Cookie header and the
// sid of the ID token.
func (c *Crowd) LogIn(ctx context.Context) (cookie, sid string, err error) {
	u := &user{crowd: c, app: c.app}
	if err := u.logIn(ctx); err != nil {
		return "", "", err
	}
	return u.ticket, u.sid, nil
}

// Run simulates this many users until ctx ends.
func (c *Crowd) Run(ctx context.Context, users int) {
	c.count(func(t *Tally) { t.Users = users })
	var all sync.WaitGroup
	for range users {
		u := &user{crowd: c, app: c.app}
		all.Go(func() { u.live(ctx) })
		sleep(ctx, 10*time.Millisecond) // spreads the logins
	}
	all.Wait()
}

// Tally returns the counts so far.
func (c *Crowd) Tally() Tally {
	c.mu.Lock()
	defer c.mu.Unlock()
	t := c.tally
	for _, in := range c.in {
		if in {
			t.LoggedIn++
		}
	}
	for _, since := range c.waits {
		if time.Since(since) > longWait {
			t.Waiting++
		}
	}
	return t
}

// WrongLogouts returns the users who were logged out without asking for it.
func (c *Crowd) WrongLogouts() []WrongLogout {
	c.mu.Lock()
	defer c.mu.Unlock()
	return append([]WrongLogout(nil), c.wrong...)
}

// Logins returns all logins by sid, and whether each is still logged in. It leaves out those whose
// logout had an unknown outcome.
func (c *Crowd) Logins() map[string]bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return maps.Clone(c.in)
}

func (c *Crowd) count(fn func(*Tally)) {
	c.mu.Lock()
	defer c.mu.Unlock()
	fn(&c.tally)
}

func (c *Crowd) loggedIn(sid string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.in[sid] = true
	c.tally.Logins++
}

func (c *Crowd) ended(sid, ticket string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.in[sid] = false
	c.tickets[sid] = ticket
}

// waiting notes that a user waits for answers, until done is called.
func (c *Crowd) waiting(u *user) (done func()) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.waits[u] = time.Now()
	return func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		delete(c.waits, u)
	}
}

// unsure notes a logout whose outcome is unknown.
func (c *Crowd) unsure(sid string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.in, sid)
}

// Tickets returns the Cookie headers of all ended logins by sid, as an attacker could have copied
// them before.
func (c *Crowd) Tickets() map[string]string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return maps.Clone(c.tickets)
}

func (c *Crowd) wronglyOut(sid, code string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.tally.WronglyOut++
	c.wrong = append(c.wrong, WrongLogout{sid, code, time.Now()})
}
