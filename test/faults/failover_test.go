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

// A pair is a Redis primary and its replica, behind an address that moves when the replica takes over. Replication
// can be slow.
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
	for deadline := time.Now().Add(20 * time.Second); !strings.Contains(p.replica.CLI("info", "replication"), "master_link_status:up"); {
		if time.Now().After(deadline) {
			t.Fatal("the replica does not follow")
		}
		time.Sleep(20 * time.Millisecond)
	}
	return p
}

// promote has the replica take over, without what is on its way to it.
func (p *pair) promote() {
	p.replication.Sever()
	p.replica.CLI("replicaof", "no", "one")
	p.address.Lead(p.replica.Addr())
}

// What the primary took with it are leases and renewals that nobody was told of: whoever got a lease has it at the
// replica as well, so no refresh token is sent twice.
func TestPrimaryThatDiesWhileItsReplicaLagsLogsNobodyOut(t *testing.T) {
	t.Parallel()
	p := newPair(t)
	w := newWorld(t, 40, p, p.address.Addr(), func(address string) string { return "redis://" + address + "?wait_replicas=1" })
	p.replication.Delay(2 * time.Second)
	time.Sleep(3 * time.Second)
	p.Kill()
	p.promote()
	servers.Redis(t, fmt.Sprintf("replicaof 127.0.0.1 %d", p.replica.Port)) // the one to spare
	w.until("all to be well again after the fail-over", 45*time.Second, w.isWell)
	w.judge()
}

// Callers see nothing of an orderly fail-over, whatever becomes of the connections to the old primary: they stay.
func TestDemotedPrimaryIsNotNoticed(t *testing.T) {
	t.Parallel()
	p := newPair(t)
	w := newWorld(t, 40, p, p.address.Addr(), func(address string) string { return "redis://" + address })
	before := w.Crowd.Tally()
	p.address.Lead(p.replica.Addr())
	p.CLI("failover", "to", "127.0.0.1", fmt.Sprint(p.replica.Port))
	w.until("the primary to be demoted", 20*time.Second, func() bool { return strings.HasPrefix(p.CLI("role"), "slave") })
	time.Sleep(5 * time.Second)
	w.until("all to be well again after the fail-over", 45*time.Second, w.isWell)
	t.Logf("%d calls were answered 503", w.Crowd.Tally().Unavailable-before.Unavailable) // on a machine that has time, none
	w.judge()
}

// A firewall forgets the connections of one replica to the store.
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

// With a synchronous standby a commit counts once both have it.
func TestPostgreSQLPrimaryThatDiesLogsNobodyOut(t *testing.T) {
	t.Parallel()
	primary := servers.Postgres(t, "wal_sender_timeout=5s")
	standby := primary.Standby()
	primary.SQL("ALTER SYSTEM SET synchronous_standby_names = '*'")
	primary.SQL("SELECT pg_reload_conf()")
	w := newWorld(t, 30, primary, fmt.Sprintf("127.0.0.1:%d", primary.Port), func(string) string {
		return fmt.Sprintf("postgres://cloakroom@127.0.0.1:%d,127.0.0.1:%d/postgres?sslmode=disable&target_session_attrs=read-write", primary.Port, standby.Port)
	})
	primary.Kill()
	standby.Promote()
	began := time.Now()
	w.until("all to be well again after the fail-over", 45*time.Second, w.isWell)
	t.Logf("well again %s after the standby took over", time.Since(began).Round(time.Second/10))
	w.judge()
}
