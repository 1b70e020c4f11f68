package cluster

import (
	"context"
	"maps"
	"net/http"
	"sync"
	"time"
)

// A Tally is what the users have seen, all of it from outside.
type Tally struct {
	Users, LoggedIn int
	Logins, Logouts int
	LoginsFailed    int
	Calls, OK       int
	Waiting         int    // users who have been waiting for an answer for longer than longWait
	Unavailable     int    // 503, from the service
	LastUnavailable string // its code
	Failed          int    // any other answer that is neither 200 nor 401
	Lost            int    // no answer at all
	LastFailure     string
	Slowest         time.Duration // of the calls that were answered 200
	HeardLate       int           // a 200 for who had logged out a moment before, at a replica that had yet to hear of it
	// What must stay 0.
	WronglyOut          int // a 401 for who did not log out
	AnsweredAfterLogout int // a 200 for who did, longer ago than max_staleness
}

// longWait is what an answer takes only if something is wrong.
const longWait = 2 * time.Second

// A WrongLogout is a user who was logged out without having asked for it.
type WrongLogout struct {
	SID, Code string
	At        time.Time
}

// A Crowd is many users at once.
type Crowd struct {
	app            string
	name, password string        // of all of them, at the provider
	pace           time.Duration // between two calls of one user, on average
	stay           time.Duration // between a login and a logout, on average
	transport      http.RoundTripper

	mu      sync.Mutex // guards what follows
	tally   Tally
	wrong   []WrongLogout
	in      map[string]bool     // by sid: whether the login lasts
	tickets map[string]string   // by sid: the Cookie header of those that have ended
	waits   map[*user]time.Time // since when a call is under way
}

func newCrowd(app, name, password string, pace, stay time.Duration) *Crowd {
	return &Crowd{
		app: app, name: name, password: password, pace: pace, stay: stay,
		transport: &http.Transport{MaxIdleConnsPerHost: 1000, IdleConnTimeout: 30 * time.Second},
		in:        map[string]bool{}, tickets: map[string]string{}, waits: map[*user]time.Time{},
	}
}

// LogIn logs one more user in, who does nothing by themselves, and returns their Cookie header and the sid of
// their ID token.
func (c *Crowd) LogIn(ctx context.Context) (cookie, sid string, err error) {
	u := &user{crowd: c, app: c.app}
	if err := u.logIn(ctx); err != nil {
		return "", "", err
	}
	return u.ticket, u.sid, nil
}

// Run has so many users live until ctx ends.
func (c *Crowd) Run(ctx context.Context, users int) {
	c.count(func(t *Tally) { t.Users = users })
	var all sync.WaitGroup
	for range users {
		u := &user{crowd: c, app: c.app}
		all.Go(func() { u.live(ctx) })
		sleep(ctx, 10*time.Millisecond) // not all in one moment
	}
	all.Wait()
}

// Tally is what was seen until now.
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

// Wrong are those who were logged out without having asked for it.
func (c *Crowd) Wrong() []WrongLogout {
	c.mu.Lock()
	defer c.mu.Unlock()
	return append([]WrongLogout(nil), c.wrong...)
}

// Logins are all logins, by sid, and whether they last; those left out of which nobody knows.
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

// waiting notes that a user waits for answers, until the returned function is called.
func (c *Crowd) waiting(u *user) (over func()) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.waits[u] = time.Now()
	return func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		delete(c.waits, u)
	}
}

// unsure notes a logout that was asked for, and of which nobody knows whether it was done.
func (c *Crowd) unsure(sid string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.in, sid)
}

// Tickets are the Cookie headers of all logins that have ended, by sid, as somebody would have them who copied them
// before.
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
