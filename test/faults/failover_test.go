package faults

import (
	"fmt"
	"net"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/cloakroom/cloakroom/test/servers"
)

// A pair is a Redis primary and its replica, behind an address that moves when the replica takes
// over. Replication can be delayed.
type pair struct {
	*servers.RedisServer // the primary
	replica              *servers.RedisServer
	address, replication *servers.Tunnel
}

func newPair(t *testing.T) *pair {
	t.Helper()
	p := &pair{RedisServer: servers.Redis(t)}
	p.address, p.replication = servers.NewTunnel(t, p.Addr()), servers.NewTunnel(t, p.Addr())
	host, port, _ := strings.Cut(p.replication.Addr(), ":")
	p.replica = servers.Redis(t, fmt.Sprintf("replicaof %s %s", host, port))
	linked := func() bool {
		return strings.Contains(p.replica.CLI("info", "replication"), "master_link_status:up")
	}
	for deadline := time.Now().Add(20 * time.Second); !linked(); {
		if time.Now().After(deadline) {
			t.Fatal("the replica does not replicate")
		}
		time.Sleep(20 * time.Millisecond)
	}
	return p
}

// promote makes the replica the primary, without the writes that have not reached it yet.
func (p *pair) promote() {
	p.replication.Sever()
	p.replica.CLI("replicaof", "no", "one")
	p.address.Lead(p.replica.Addr())
}

// The writes that the primary loses were not confirmed to anybody. A lease is granted only once the
// replica has it, so no refresh token is sent twice.
func TestPrimaryThatDiesWhileItsReplicaLagsLogsNobodyOut(t *testing.T) {
	t.Parallel()
	p := newPair(t)
	w := newWorld(t, 40, p, p.address.Addr(), func(address string) string {
		return redisURL(address) + "?wait_replicas=1"
	})
	p.replication.Delay(2 * time.Second)
	time.Sleep(3 * time.Second)
	p.Kill()
	p.promote()
	servers.Redis(t, fmt.Sprintf("replicaof 127.0.0.1 %d", p.replica.Port)) // its new replica
	w.until("all to be well again after the fail-over", 45*time.Second, w.isWell)
	w.judge()
}

// Callers don't notice an orderly fail-over, although the connections to the old primary stay open.
func TestDemotedPrimaryIsNotNoticed(t *testing.T) {
	t.Parallel()
	p := newPair(t)
	w := newWorld(t, 40, p, p.address.Addr(), redisURL)
	before := w.Crowd.Tally()
	p.address.Lead(p.replica.Addr())
	p.CLI("failover", "to", "127.0.0.1", fmt.Sprint(p.replica.Port))
	w.until("the primary to be demoted", 20*time.Second, func() bool {
		return strings.HasPrefix(p.CLI("role"), "slave")
	})
	time.Sleep(5 * time.Second)
	w.until("all to be well again after the fail-over", 45*time.Second, w.isWell)
	unavailable := w.Crowd.Tally().Unavailable - before.Unavailable // 0 unless the machine is overloaded
	t.Logf("%d calls were answered 503", unavailable)
	w.judge()
}

// A firewall drops the connections of one replica to the store without a reset.
func TestConnectionsToTheStoreThatDieAreReplaced(t *testing.T) {
	if !servers.InNamespace(t) {
		return
	}
	w := overRedis(t, 40)
	_, port, _ := net.SplitHostPort(w.Replicas[2].Link.Addr())
	n, err := strconv.Atoi(port)
	if err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	servers.Vanish(t, n)
	w.until("all to be well again", 45*time.Second, w.isWell)
	t.Logf("well again %s after", time.Since(began).Round(time.Second/10))
	w.judge()
}

// With a synchronous standby, a commit is confirmed once both servers have it.
func TestPostgreSQLPrimaryThatDiesLogsNobodyOut(t *testing.T) {
	t.Parallel()
	primary := servers.Postgres(t, "wal_sender_timeout=5s")
	standby := primary.Standby()
	primary.SQL("ALTER SYSTEM SET synchronous_standby_names = '*'")
	primary.SQL("SELECT pg_reload_conf()")
	url := fmt.Sprintf("postgres://cloakroom@127.0.0.1:%d,127.0.0.1:%d/postgres"+
		"?sslmode=disable&target_session_attrs=read-write", primary.Port, standby.Port)
	address := fmt.Sprintf("127.0.0.1:%d", primary.Port)
	w := newWorld(t, 30, primary, address, func(string) string { return url })
	primary.Kill()
	standby.Promote()
	began := time.Now()
	w.until("all to be well again after the fail-over", 45*time.Second, w.isWell)
	t.Logf("well again %s after the standby took over", time.Since(began).Round(time.Second/10))
	w.judge()
}
