package redis

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/redis/rueidis"
)

// A client is one rueidis.Client, with all its connections, until it is left for a new one. The new one resolves the
// name, or asks the Sentinels, anew.
type client struct {
	rueidis.Client
	store *Store
	made  time.Time
	left  chan struct{} // closed when it was left; calls that are under way go on
	why   error         // it was; to be read after that
	close func()
}

func newClient(s *Store, c rueidis.Client) *client {
	return &client{Client: c, store: s, made: time.Now(), left: make(chan struct{}), close: sync.OnceFunc(c.Close)}
}

// A refusal is an answer of a server that may be the primary no more. Its connections stay open, so nothing else would
// have us look for the primary anew.
//
// These answers are no refusals, since a server that gives them is the right one: MISCONF and OOM (it can't write, to
// its disk or memory), BUSY, TRYAGAIN, NOPERM. In a Cluster there are none at all: who was demoted answers MOVED, and
// rueidis follows that, and asks for the nodes anew when it hears CLUSTERDOWN.
type refusal struct {
	code string
	// after is how old a client must be before it is left: a server may be the only one that there is.
	after time.Duration
	// undone: nothing was done, so doing it again is harmless.
	undone bool
}

const (
	leaveAfter = 250 * time.Millisecond
	// leaveLonely: a primary that has lost its replicas is more often the primary than not, and still serves reads.
	leaveLonely = 5 * time.Second
)

var refusals = []refusal{
	{"READONLY", leaveAfter, true},    // it has become a replica
	{"MASTERDOWN", leaveAfter, true},  // it has, and can't reach its primary
	{"LOADING", leaveAfter, true},     // it was started again, and another may have taken over
	{"NOREPLICAS", leaveLonely, true}, // the others may have chosen another; see min-replicas-to-write
	{"UNBLOCKED", leaveAfter, false},  // it became a replica during a WAIT
}

// refusalOf is the refusal that an error is. Redis before 7 puts that of a script's command into a sentence of its own.
func refusalOf(err error) (refusal, bool) {
	answer, ok := errors.AsType[*rueidis.RedisError](err)
	if !ok || answer.IsNil() {
		return refusal{}, false
	}
	text := answer.Error()
	for _, r := range refusals {
		if strings.HasPrefix(text, r.code+" ") || strings.Contains(text, "-"+r.code+" ") {
			return r, true
		}
	}
	return refusal{}, false
}

// refused takes what a call came to and reports whether it was refused and may be made again, by a new client.
func (c *client) refused(err error) bool {
	r, ok := refusalOf(err)
	if !ok || c.Mode() == rueidis.ClientModeCluster {
		return false
	}
	return c.store.leave(c, r.after, fmt.Errorf("the server is not the primary any more: %w", err)) && r.undone
}

// next is the client that takes this one's place, for a call that was refused.
func (c *client) next(ctx context.Context) (*client, bool) {
	next, err := c.store.connected(ctx)
	return next, err == nil && next != c && next.Mode() == c.Mode()
}

// Do implements rueidis.Client. A command that was refused is given to the next client, once.
func (c *client) Do(ctx context.Context, command rueidis.Completed) rueidis.RedisResult {
	command = command.Pin() // it may be sent again
	result := c.Client.Do(ctx, command)
	if !c.refused(result.Error()) {
		return result
	}
	next, ok := c.next(ctx)
	if !ok {
		return result
	}
	result = next.Client.Do(ctx, command)
	next.refused(result.Error())
	return result
}

// DoMulti implements rueidis.Client. Those of the commands that were refused are given to the next client, once.
func (c *client) DoMulti(ctx context.Context, commands ...rueidis.Completed) []rueidis.RedisResult {
	for i := range commands {
		commands[i] = commands[i].Pin()
	}
	results := c.Client.DoMulti(ctx, commands...)
	var again rueidis.Commands
	var places []int
	for i, r := range results {
		if c.refused(r.Error()) {
			again, places = append(again, commands[i]), append(places, i)
		}
	}
	if len(again) == 0 {
		return results
	}
	next, ok := c.next(ctx)
	if !ok {
		return results
	}
	for i, r := range next.Client.DoMulti(ctx, again...) {
		results[places[i]] = r
		next.refused(r.Error())
	}
	return results
}

// Dedicated implements rueidis.Client. What fn does is never done again.
func (c *client) Dedicated(fn func(rueidis.DedicatedClient) error) error {
	err := c.Client.Dedicated(fn)
	c.refused(err)
	return err
}

// leave gives up a client if it is old enough, and reports whether it is given up, now or before. It is closed once the
// calls that are under way had their time.
func (s *Store) leave(c *client, after time.Duration, why error) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.client != c {
		return true
	}
	if s.closed || time.Since(c.made) < after {
		return false
	}
	s.client, c.why = nil, why
	close(c.left)
	s.retired[c] = time.AfterFunc(answerTime, func() {
		c.close()
		s.mu.Lock()
		defer s.mu.Unlock()
		delete(s.retired, c)
	})
	return true
}
