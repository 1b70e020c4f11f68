package redis_test

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/cloakroom/cloakroom/session/storage"
	"github.com/cloakroom/cloakroom/session/store/redis"
	"github.com/cloakroom/cloakroom/test/servers"
)

// A pair is a primary and its replica behind one address.
type pair struct {
	old, new *servers.RedisServer
	address  *servers.Tunnel
}

func newPair(t *testing.T) *pair {
	t.Helper()
	p := &pair{old: servers.Redis(t)}
	p.new = servers.Redis(t, fmt.Sprintf("replicaof 127.0.0.1 %d", p.old.Port))
	follows(t, p.new)
	p.address = servers.NewTunnel(t, p.old.Addr())
	return p
}

func follows(t *testing.T, replica *servers.RedisServer) {
	t.Helper()
	linked := func() bool {
		return strings.Contains(replica.CLI("info", "replication"), "master_link_status:up")
	}
	for deadline := time.Now().Add(20 * time.Second); !linked(); {
		if time.Now().After(deadline) {
			t.Fatal("the replica does not follow")
		}
		time.Sleep(20 * time.Millisecond)
	}
}

// swap makes the replica the primary and the primary its replica. Nothing that was written is lost,
// and all connections stay open.
func (p *pair) swap(t *testing.T) {
	t.Helper()
	p.old.CLI("failover", "to", "127.0.0.1", fmt.Sprint(p.new.Port))
	for deadline := time.Now().Add(20 * time.Second); !strings.HasPrefix(p.old.CLI("role"), "slave"); {
		if time.Now().After(deadline) {
			t.Fatal("the primary is not demoted")
		}
		time.Sleep(20 * time.Millisecond)
	}
}

func (p *pair) open(t *testing.T, more string) *redis.Store {
	t.Helper()
	return newGroup("").openURL(t, "redis://"+p.address.Addr()+more)
}

// The address leads to the new primary before the old one is demoted. No caller gets an error, not
// even one whose call the old primary refused.
func TestDemotedPrimaryIsAbandonedWithoutAnError(t *testing.T) {
	p := newPair(t)
	s := p.open(t, "")
	e := entry()
	if err := s.Create(t.Context(), e); err != nil {
		t.Fatal(err)
	}
	over := make(chan error, 1)
	stands := make(chan struct{}, 1000)
	go func() {
		over <- s.Listen(t.Context(), 50*time.Millisecond, func(storage.Change) {}, func(time.Time) { stands <- struct{}{} })
	}()
	<-stands
	ctx, stop := context.WithCancel(t.Context())
	var callers sync.WaitGroup
	var calls, failed atomic.Int32
	for range 8 {
		callers.Go(func() {
			for ctx.Err() == nil {
				e := entry()
				_, found := s.Load(t.Context(), e.Name)
				err := errors.Join(s.Create(t.Context(), e), s.Update(t.Context(), e),
					s.End(t.Context(), e.Name, "logout", time.Now()))
				if calls.Add(1); err != nil || !errors.Is(found, storage.ErrNotFound) {
					failed.Add(1)
					t.Errorf("during the fail-over: %v %v", found, err)
				}
			}
		})
	}
	p.address.Lead(p.new.Addr())
	time.Sleep(500 * time.Millisecond) // the client is old enough to be left
	p.swap(t)
	time.Sleep(time.Second)
	stop()
	callers.Wait()
	t.Logf("%d of %d calls failed", failed.Load(), calls.Load())
	if err := s.Update(t.Context(), e); err != nil {
		t.Errorf("update at the new primary: %v", err)
	}
	select {
	case err := <-over:
		if err == nil || !strings.Contains(err.Error(), "not the primary any more") {
			t.Errorf("listen: %v, want why the feed is over", err)
		}
	case <-time.After(5 * time.Second):
		t.Error("the feed of the demoted primary stands")
	}
	time.Sleep(2500 * time.Millisecond)
	if left := p.old.CLI("client", "list", "type", "normal"); strings.Contains(left, "name=cloakroom") {
		t.Errorf("connections to the demoted primary: %s", left)
	}
}

// As long as the address leads to the demoted primary, writes fail and nothing is lost.
func TestDemotedPrimaryIsAskedUntilItsAddressMoves(t *testing.T) {
	p := newPair(t)
	s := p.open(t, "")
	e := entry()
	if err := s.Create(t.Context(), e); err != nil {
		t.Fatal(err)
	}
	p.swap(t)
	for range 20 {
		err := s.Update(t.Context(), e)
		if err == nil || errors.Is(err, storage.ErrNotFound) || errors.Is(err, storage.ErrConflict) {
			t.Fatalf("update at a replica: %v, want that it takes no writes", err)
		}
		time.Sleep(20 * time.Millisecond)
	}
	if made := strings.Count(p.old.CLI("client", "list", "type", "normal"), "name=cloakroom"); made > 20 {
		t.Errorf("%d connections, want few: nobody has to be asked so often", made)
	}
	p.address.Lead(p.new.Addr())
	time.Sleep(300 * time.Millisecond)
	if err := s.Update(t.Context(), e); err != nil {
		t.Errorf("update once the address has moved: %v", err)
	}
}

// A server is abandoned for each answer that says that it may not be the primary. One that merely
// can't write at the moment is kept.
func TestServersThatMayNotBeThePrimaryAreAbandoned(t *testing.T) {
	for name, tt := range map[string]struct {
		harm   func(p *pair)
		leaves bool
	}{
		"MASTERDOWN": {func(p *pair) {
			p.new.CLI("replicaof", "no", "one")
			p.old.CLI("config", "set", "replica-serve-stale-data", "no")
			p.old.CLI("replicaof", "127.0.0.1", "1")
		}, true},
		"NOREPLICAS": {func(p *pair) {
			p.new.CLI("replicaof", "no", "one")
			p.old.CLI("config", "set", "min-replicas-to-write", "1")
			time.Sleep(5 * time.Second) // such a client is kept for longer
		}, true},
		"OOM": {func(p *pair) {
			p.new.CLI("replicaof", "no", "one")
			p.old.CLI("config", "set", "maxmemory", "1")
		}, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := newPair(t)
			s := p.open(t, "")
			if _, err := s.Ping(t.Context()); err != nil {
				t.Fatal(err)
			}
			p.address.Lead(p.new.Addr())
			time.Sleep(300 * time.Millisecond)
			tt.harm(p)
			err := s.Create(t.Context(), entry())
			if (err == nil) != tt.leaves || err != nil && !strings.Contains(err.Error(), name) {
				t.Errorf("create = %v, want that the server is left: %v", err, tt.leaves)
			}
		})
	}
}

// If the primary is demoted while it waits for replicas to confirm a write, the write may be lost.
// Its outcome is unknown, so the call must fail.
func TestWaitInterruptedByDemotionIsNoSuccess(t *testing.T) {
	p := newPair(t)
	s := p.open(t, "?wait_replicas=1")
	for deadline := time.Now().Add(20 * time.Second); ; {
		err := s.Create(t.Context(), entry())
		if err == nil {
			break
		}
		if time.Now().After(deadline) { // on a busy machine the replica may be slow
			t.Fatal(err)
		}
	}
	time.Sleep(300 * time.Millisecond)
	p.new.Pause()
	done := make(chan error, 1)
	go func() { done <- s.Create(t.Context(), entry()) }()
	time.Sleep(150 * time.Millisecond)
	p.old.CLI("replicaof", "127.0.0.1", fmt.Sprint(p.new.Port))
	if err := <-done; err == nil {
		t.Error("create = nil, want that no replica has it")
	}
	p.new.Continue()
	p.new.CLI("replicaof", "no", "one")
	p.address.Lead(p.new.Addr())
	time.Sleep(300 * time.Millisecond)
	if _, err := s.Ping(t.Context()); err != nil {
		t.Errorf("ping once the address has moved: %v", err)
	}
}

// Sentinel demotes a primary that works. Clients that are connected to it switch to the new one.
func TestFailOverOrderedAtSentinelIsFollowed(t *testing.T) {
	group := servers.RedisSentinel(t)
	g := newGroup(group.URL())
	s := g.open(t)
	if err := s.Create(t.Context(), entry()); err != nil {
		t.Fatal(err)
	}
	group.FailOver()
	promoted := newGroup("").openURL(t, group.Replica.URL()+"?prefix="+prefixOf(t, g.urls[s]))
	for deadline := time.Now().Add(30 * time.Second); ; time.Sleep(50 * time.Millisecond) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		e := entry()
		err := s.Create(ctx, e)
		cancel()
		if err == nil {
			if _, err = promoted.Load(t.Context(), e.Name); err == nil {
				return
			}
		}
		if time.Now().After(deadline) {
			t.Fatalf("30 s after the fail-over nothing is written to the new primary: %v", err)
		}
	}
}

func prefixOf(t *testing.T, address string) string {
	t.Helper()
	u, err := url.Parse(address)
	if err != nil {
		t.Fatal(err)
	}
	return u.Query().Get("prefix")
}
