// Package redis keeps sessions in Redis or Valkey (6.2 or later): one server, a Sentinel group, or
// a Cluster, shared by any number of replicas.
//
// Whatever changes together shares a hash tag: a record, its entries in the sweeper's queue and in
// the listing, its item in the outbox and the lease on its renewal lie in one of 16 buckets, which
// the record's name selects, and one Lua script changes them. Index entries lie elsewhere. They are
// written before a record can be found by them, and Find checks them against the record.
//
// Its weak point is durability: a primary that fails before its replicas have caught up loses the
// last writes, unless wait_replicas makes each write wait for them, and without an append-only file
// a restart loses everything. Redis must run with maxmemory-policy noeviction: if a record is
// evicted, a user is logged out and nobody revokes the token.
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
	// answerTime is how long a command may stay unanswered before its connection is given up.
	answerTime = 2 * time.Second
	dialTime   = time.Second
)

// A Store implements all parts of a storage.Store, with a Feed, in Redis.
type Store struct {
	keys        keyspace
	process     string // identifies this Store among all that use the server
	build       int    // the layout version of this build
	inspectOnly bool   // write nothing that lasts, not even the layout version
	option      rueidis.ClientOption
	// waitReplicas is how many replicas must confirm a write before it counts as done.
	waitReplicas int64
	detector     liveness.Detector[string] // of the processes that hold leases
	dial         resilience.Flight[*client]

	mu     sync.Mutex // guards the fields below; never held across I/O
	client *client
	// retired are the clients that are abandoned and not closed yet.
	retired map[*client]*time.Timer
	closed  bool
}

// Open reads the URL and connects if it can. It succeeds even if the server is down, since it may
// be up when it is needed. An error never contains the URL, which may hold a password. See parse
// for the form of the URL.
func Open(ctx context.Context, url string) (*Store, error) { return open(ctx, url, version, false) }

// open opens the store for a build of a given layout version.
func open(ctx context.Context, url string, build int, inspectOnly bool) (*Store, error) {
	t, err := parse(url)
	if err != nil {
		return nil, fmt.Errorf("read the Redis URL: %w", err)
	}
	s := &Store{
		keys: keyspace{prefix: t.prefix}, process: rand.Text(), build: build,
		inspectOnly: inspectOnly, option: t.option, waitReplicas: t.waitReplicas,
		retired: map[*client]*time.Timer{},
	}
	s.option.DialCtxFn = dial
	s.option.ConnWriteTimeout = answerTime
	s.option.ClientName = "cloakroom"
	s.option.DisableCache = true // package session has a cache of opened records
	s.option.RetryDelay = retryDelay
	_, err = s.connected(ctx)
	if answer := (*rueidis.RedisError)(nil); errors.As(err, &answer) && !isTransient(answer) {
		return nil, fmt.Errorf("connect to Redis: %w", err) // the answer will not change by itself
	}
	if _, mismatch := errors.AsType[*layout.MismatchError](err); mismatch {
		return nil, fmt.Errorf("open Redis store with prefix %q: %w", t.prefix, err)
	}
	return s, nil
}

// retryDelay is the pause before a read is repeated whose connection broke. Writes are sent once:
// only the caller can tell whether it is safe to repeat them.
func retryDelay(attempts int, _ rueidis.Completed, _ error) time.Duration {
	if attempts >= resilience.RedisRead.Tries() {
		return -1
	}
	return resilience.RedisRead.Pauses().After(attempts)
}

// isTransient reports whether a server's answer to a new connection is likely to change by itself.
func isTransient(err *rueidis.RedisError) bool {
	for _, code := range []string{
		"LOADING", "BUSY", "MASTERDOWN", "CLUSTERDOWN", "TRYAGAIN", "max number of clients",
	} {
		if strings.Contains(err.Error(), code) {
			return true
		}
	}
	return false
}

// connected returns the client, and connects if there is none. Concurrent callers share one
// attempt; each waits until its own ctx ends.
func (s *Store) connected(ctx context.Context) (*client, error) {
	if c, err := s.current(); c != nil || err != nil {
		return c, err
	}
	return s.dial.Do(ctx, s.connect)
}

// current returns the present client, nil if a new one must be made.
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
		return c, err // another caller has just connected
	}
	c, err := rueidis.NewClient(s.option)
	if err == nil {
		ctx, cancel := context.WithTimeout(context.Background(), layoutTime)
		err = s.checkLayout(ctx, c)
		cancel()
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if err == nil && s.closed {
		err = rueidis.ErrClosing
	}
	if err != nil {
		if c != nil {
			go c.Close() // may wait for a server that does not answer
		}
		return nil, err
	}
	s.client = newClient(s, c)
	return s.client, nil
}

// Parts returns the store as a storage.Store.
func (s *Store) Parts() storage.Store {
	return storage.Store{
		Records: s, Finder: s, Outbox: s, Leases: s, Marks: s, Connection: s, Feed: s,
	}
}

// Ping implements storage.Connection. It succeeds if a primary answers and accepts a write, and if
// this build may use the store's layout, which a newer build may have changed since. In a Cluster
// all replicas ask the same primary for the time: the one that holds the key of pings. If the user
// may not ask for the time, it is the zero time. Both questions are asked at once: no session is
// served before a ping has succeeded, and each round trip counts on a slow connection.
func (s *Store) Ping(ctx context.Context) (time.Time, error) {
	c, err := s.connected(ctx)
	if err != nil {
		return time.Time{}, err
	}
	checked := make(chan error, 1)
	go func() { checked <- s.checkLayout(ctx, c) }()
	parts, err := scriptPing.Exec(ctx, c, []string{s.keys.ping()}, nil).AsIntSlice()
	layoutErr := <-checked
	if err != nil {
		return s.timeWithoutWrite(ctx, c, err), err
	}
	if _, mismatch := errors.AsType[*layout.MismatchError](layoutErr); mismatch {
		s.abandon(c, 0, layoutErr) // and no new client of this build is accepted
	}
	return timeOf(parts), layoutErr
}

// timeWithoutWrite returns the time of a primary that refused a write for lack of memory, of disk
// space or of replicas. Such a primary can be read, and whoever reads sessions must know the time.
// If the server is no longer the primary, it is the zero time.
func (s *Store) timeWithoutWrite(ctx context.Context, c *client, why error) time.Time {
	if _, answered := rueidis.IsRedisErr(why); !answered {
		return time.Time{}
	}
	if r, refused := refusalOf(why); refused && r.minAge < abandonAgeLonely {
		return time.Time{}
	}
	parts, err := scriptTime.Exec(ctx, c, []string{s.keys.ping()}, nil).AsIntSlice()
	if err != nil {
		return time.Time{}
	}
	return timeOf(parts)
}

// timeOf reads the answer to TIME: seconds and microseconds. An empty answer is the zero time.
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
