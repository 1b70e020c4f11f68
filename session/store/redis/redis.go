// Package redis keeps sessions in Redis or Valkey (6.2 or later): one server, a Sentinel group, or a
// Cluster, shared by any number of replicas.
//
// What must change together shares a hash tag: a record, its places in the sweeper's queue and in the
// listing, its item in the outbox and the lease on its renewal lie in one of 16 buckets, chosen by the
// record's name, and are changed by one Lua script. Index entries lie elsewhere; they are written
// before a record can be found by them, and checked against the record when it is.
//
// Its weak point is what Redis says it wrote: a primary that fails before its replica has caught up
// takes the last writes with it, unless wait_replicas has it wait for them, and without an append-only file a restart
// loses everything. It must run with maxmemory-policy noeviction: a record that is evicted is a user logged out and a token that
// nobody revokes.
package redis

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/redis/rueidis"

	"github.com/cloakroom/cloakroom/resilience"
	"github.com/cloakroom/cloakroom/session/storage"
	"github.com/cloakroom/cloakroom/session/store/layout"
	"github.com/cloakroom/cloakroom/session/store/liveness"
)

const (
	// answerTime is how long a connection may leave a command unanswered before it is given up.
	answerTime = 2 * time.Second
	dialTime   = time.Second
)

// A Store is all parts of a storage.Store, with a Feed, in Redis.
type Store struct {
	keys    keyspace
	process string // names this Store among all that use the server
	build   int    // the version of the layout that it makes
	look    bool   // write nothing that lasts, not the layout's version either
	option  rueidis.ClientOption
	// waitReplicas is how many replicas must have a write before it counts as done.
	waitReplicas int64
	detector     liveness.Detector[string] // of the processes that have leases
	dial         resilience.Flight[*client]

	mu     sync.Mutex // guards what follows; never held across I/O
	client *client
	// retired are the clients that were left and are not closed yet.
	retired map[*client]*time.Timer
	closed  bool
}

// Open reads the URL and connects if it can: a server that is down now may be up when it is asked. An
// error never holds the URL, which may hold a password. See parse for what a URL may say.
func Open(ctx context.Context, url string) (*Store, error) { return open(ctx, url, version, false) }

// open opens the store as a build does that makes a version of the layout.
func open(ctx context.Context, url string, build int, look bool) (*Store, error) {
	t, err := parse(url)
	if err != nil {
		return nil, fmt.Errorf("read the Redis URL: %w", err)
	}
	s := &Store{keys: keyspace{prefix: t.prefix}, process: rand.Text(), build: build, look: look, option: t.option, waitReplicas: t.waitReplicas, retired: map[*client]*time.Timer{}}
	s.option.DialCtxFn = dial
	s.option.ConnWriteTimeout = answerTime
	s.option.ClientName = "cloakroom"
	s.option.DisableCache = true // the cache of opened records is the session package's
	s.option.RetryDelay = retryDelay
	_, err = s.connected(ctx)
	if wrong := (*rueidis.RedisError)(nil); errors.As(err, &wrong) && !isPassing(wrong) {
		return nil, fmt.Errorf("connect to Redis: %w", err) // it answered, and will answer the same tomorrow
	}
	if _, apart := errors.AsType[*layout.MismatchError](err); apart {
		return nil, fmt.Errorf("open Redis store with prefix %q: %w", t.prefix, err)
	}
	return s, nil
}

// retryDelay is the pause before a read is tried again that a connection broke under. Writes are tried
// once: only their caller can tell whether doing them again is harmless.
func retryDelay(attempts int, _ rueidis.Completed, _ error) time.Duration {
	if attempts >= resilience.RedisRead.Tries() {
		return -1
	}
	return resilience.RedisRead.Pauses().After(attempts)
}

// isPassing reports whether what a server answered to a new connection is likely to pass by itself.
func isPassing(err *rueidis.RedisError) bool {
	for _, code := range []string{"LOADING", "BUSY", "MASTERDOWN", "CLUSTERDOWN", "TRYAGAIN", "max number of clients"} {
		if strings.Contains(err.Error(), code) {
			return true
		}
	}
	return false
}

// connected returns the client. Without one it connects; everybody who asks meanwhile waits for that
// one attempt, no longer than their ctx.
func (s *Store) connected(ctx context.Context) (*client, error) {
	if c, err := s.current(); c != nil || err != nil {
		return c, err
	}
	return s.dial.Do(ctx, s.connect)
}

// current is the client that there is, nil when one must be made.
func (s *Store) current() (*client, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return nil, rueidis.ErrClosing
	}
	return s.client, nil
}

func (s *Store) connect() (*client, error) {
	if c, err := s.current(); c != nil || err != nil {
		return c, err // somebody has just connected
	}
	c, err := rueidis.NewClient(s.option)
	if err == nil {
		ctx, cancel := context.WithTimeout(context.Background(), layoutTime)
		err = s.settle(ctx, c)
		cancel()
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if err == nil && s.closed {
		err = rueidis.ErrClosing
	}
	if err != nil {
		if c != nil {
			go c.Close() // which may wait for a server that says nothing
		}
		return nil, err
	}
	s.client = newClient(s, c)
	return s.client, nil
}

// Parts is the store as its users are handed it.
func (s *Store) Parts() storage.Store {
	return storage.Store{Records: s, Finder: s, Outbox: s, Leases: s, Marks: s, Connection: s, Feed: s}
}

// Ping implements storage.Connection: a primary answers, takes a write, and has a layout that this build may use: a newer
// build may have changed it since. Of a Cluster all replicas ask the same primary for its time, the one that has this key. A
// user who may not ask for it learns none. Both are asked at once: no session is served before a ping has succeeded, and
// over a slow line each round trip counts.
func (s *Store) Ping(ctx context.Context) (time.Time, error) {
	c, err := s.connected(ctx)
	if err != nil {
		return time.Time{}, err
	}
	settled := make(chan error, 1)
	go func() { settled <- s.settle(ctx, c) }()
	parts, err := scriptPing.Exec(ctx, c, []string{s.keys.ping()}, nil).AsIntSlice()
	unfit := <-settled
	if err != nil {
		return s.timeOfOneThatCanNotWrite(ctx, c, err), err
	}
	err = unfit
	if _, apart := errors.AsType[*layout.MismatchError](err); apart {
		s.leave(c, 0, err) // no client of this build is let in any more
	}
	return timeOf(parts), err
}

// timeOfOneThatCanNotWrite is what a primary's clock says that is out of memory, or of its disk, or of its replicas: it can
// be read, and whoever reads sessions must know the time. Zero for what is no primary any more.
func (s *Store) timeOfOneThatCanNotWrite(ctx context.Context, c *client, why error) time.Time {
	if _, answered := rueidis.IsRedisErr(why); !answered {
		return time.Time{}
	}
	if r, refused := refusalOf(why); refused && r.after < leaveLonely {
		return time.Time{}
	}
	parts, err := scriptTime.Exec(ctx, c, []string{s.keys.ping()}, nil).AsIntSlice()
	if err != nil {
		return time.Time{}
	}
	return timeOf(parts)
}

// timeOf reads the answer to TIME: seconds and microseconds. Without them it is zero.
func timeOf(parts []int64) time.Time {
	if len(parts) != 2 {
		return time.Time{}
	}
	return time.UnixMicro(parts[0]*1e6 + parts[1]).UTC()
}

// Close implements storage.Connection.
func (s *Store) Close() error {
	s.mu.Lock()
	s.closed = true
	open := slices.Collect(maps.Keys(s.retired))
	for _, timer := range s.retired {
		timer.Stop()
	}
	if s.client != nil {
		open = append(open, s.client)
	}
	s.mu.Unlock()
	for _, c := range open {
		c.close()
	}
	return nil
}
