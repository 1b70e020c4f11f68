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

// A client is a rueidis.Client with all its connections. It is abandoned for a new one when the
// server turns out not to be the primary any more; the new one resolves the name, or asks the
// Sentinels, again.
type client struct {
	rueidis.Client
	store     *Store
	made      time.Time
	abandoned chan struct{} // closed when the client is abandoned; calls under way may still finish
	cause     error         // why it was abandoned; set before abandoned is closed
	close     func()
}

func newClient(s *Store, c rueidis.Client) *client {
	return &client{
		Client: c, store: s, made: time.Now(),
		abandoned: make(chan struct{}), close: sync.OnceFunc(c.Close),
	}
}

// A refusal is an answer of a server that may no longer be the primary. Its connections stay open,
// so only the answer tells us to look for the primary again.
//
// MISCONF, OOM, BUSY, TRYAGAIN and NOPERM are not refusals, because the right server gives them,
// too. A Cluster has no refusals at all: a demoted node answers MOVED, which rueidis follows, and
// rueidis reloads the list of nodes when it gets CLUSTERDOWN.
type refusal struct {
	code string
	// minAge is how old a client must be before it is abandoned: the server may be the only one.
	minAge time.Duration
	// retryable: the server did nothing, so the command can be sent again.
	retryable bool
}

const (
	abandonAge = 250 * time.Millisecond
	// abandonAgeLonely is for a primary that has lost its replicas. It usually still is the
	// primary, and it still serves reads.
	abandonAgeLonely = 5 * time.Second
)

var refusals = []refusal{
	{"READONLY", abandonAge, true},         // it has become a replica
	{"MASTERDOWN", abandonAge, true},       // it has become a replica, and can't reach its primary
	{"LOADING", abandonAge, true},          // it was restarted, and another may have taken over
	{"NOREPLICAS", abandonAgeLonely, true}, // another may be elected; see min-replicas-to-write
	{"UNBLOCKED", abandonAge, false},       // it became a replica during a WAIT
}

// refusalOf finds the refusal in an error. Redis before version 7 wraps the error of a command in a
// script in a sentence of its own.
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

// refused reports whether a call was refused and may be made again, by a new client. It abandons
// this one if the call was refused.
func (c *client) refused(err error) bool {
	r, ok := refusalOf(err)
	if !ok || c.Mode() == rueidis.ClientModeCluster {
		return false
	}
	err = fmt.Errorf("the server is not the primary any more: %w", err)
	return c.store.abandon(c, r.minAge, err) && r.retryable
}

// next returns the client that replaces this one, for a call that was refused.
func (c *client) next(ctx context.Context) (*client, bool) {
	next, err := c.store.connected(ctx)
	return next, err == nil && next != c && next.Mode() == c.Mode()
}

// Do implements rueidis.Client. It sends a refused command to the next client, once.
func (c *client) Do(ctx context.Context, command rueidis.Completed) rueidis.RedisResult {
	command = command.Pin() // so that it can be sent again
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

// DoMulti implements rueidis.Client. It sends the refused commands to the next client, once.
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

// Dedicated implements rueidis.Client. It never calls fn again.
func (c *client) Dedicated(fn func(rueidis.DedicatedClient) error) error {
	err := c.Client.Dedicated(fn)
	c.refused(err)
	return err
}

// abandon gives up a client if it is older than minAge, and reports whether the client is
// abandoned, now or earlier. The client is closed when the calls under way have had time to finish.
func (s *Store) abandon(c *client, minAge time.Duration, cause error) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.client != c {
		return true
	}
	if s.closed || time.Since(c.made) < minAge {
		return false
	}
	s.client, c.cause = nil, cause
	close(c.abandoned)
	s.retired[c] = time.AfterFunc(answerTime, func() {
		c.close()
		s.mu.Lock()
		defer s.mu.Unlock()
		delete(s.retired, c)
	})
	return true
}
