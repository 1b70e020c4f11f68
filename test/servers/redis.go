package servers

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/cloakroom/cloakroom/demo/servers"
)

// A RedisServer is one redis-server.
type RedisServer struct {
	*process
	Port int
}

// Redis starts a redis-server with an append-only file. options are more lines of its
// configuration.
func Redis(t testing.TB, options ...string) *RedisServer {
	t.Helper()
	s := &RedisServer{Port: FreePort(t)}
	p, err := servers.NewRedis(Folder(t), s.Port, options...)
	s.process = run(t, p, err)
	return s
}

// Addr is host and port.
func (s *RedisServer) Addr() string { return net.JoinHostPort("127.0.0.1", strconv.Itoa(s.Port)) }

// URL is the server's URL.
func (s *RedisServer) URL() string { return "redis://" + s.Addr() }

// CLI runs redis-cli against the server and returns what it prints.
func (s *RedisServer) CLI(args ...string) string {
	s.t.Helper()
	out, err := exec.Command(program(s.t, "redis-cli"), append([]string{"-p", strconv.Itoa(s.Port)}, args...)...).CombinedOutput()
	if err != nil {
		s.t.Fatalf("redis-cli %s: %v: %s", strings.Join(args, " "), err, out)
	}
	return string(out)
}

// A RedisClusterServers is a Cluster of three primaries.
type RedisClusterServers struct{ Nodes []*RedisServer }

// RedisCluster starts a Cluster of three primaries, without replicas.
func RedisCluster(t testing.TB) *RedisClusterServers {
	t.Helper()
	c := &RedisClusterServers{}
	var addresses []string
	for range 3 {
		// The default port of the bus is the port plus 10,000, which may be an ephemeral port in
		// use.
		bus := fmt.Sprintf("cluster-port %d", FreePort(t))
		n := Redis(t, "cluster-enabled yes", "cluster-node-timeout 2000", bus)
		c.Nodes = append(c.Nodes, n)
		addresses = append(addresses, n.Addr())
	}
	c.Nodes[0].CLI(append([]string{"--cluster", "create", "--cluster-yes"}, addresses...)...)
	until(t, "the Cluster to be whole", func() bool {
		for _, n := range c.Nodes {
			info := n.CLI("cluster", "info")
			if !strings.Contains(info, "cluster_state:ok") || !strings.Contains(info, "cluster_known_nodes:3") {
				return false
			}
		}
		return true
	})
	return c
}

// URL names all nodes.
func (c *RedisClusterServers) URL() string {
	return fmt.Sprintf("redis://%s?addr=%s&addr=%s", c.Nodes[0].Addr(), c.Nodes[1].Addr(), c.Nodes[2].Addr())
}

// A RedisSentinelServers is a primary, a replica, and three Sentinels that watch them as "main".
type RedisSentinelServers struct {
	Primary, Replica *RedisServer
	sentinels        []*RedisServer
}

// RedisSentinel starts a primary, a replica and three Sentinels, for which a server is down after
// half a second without an answer.
func RedisSentinel(t testing.TB) *RedisSentinelServers {
	t.Helper()
	s := &RedisSentinelServers{Primary: Redis(t)}
	s.Replica = Redis(t, fmt.Sprintf("replicaof 127.0.0.1 %d", s.Primary.Port))
	until(t, "the replica to replicate", func() bool {
		return strings.Contains(s.Replica.CLI("info", "replication"), "master_link_status:up")
	})
	for range 3 {
		s.sentinels = append(s.sentinels, sentinel(t, s.Primary.Port))
	}
	until(t, "the Sentinels to know each other and the replica", func() bool {
		for _, n := range s.sentinels {
			seen := n.CLI("sentinel", "master", "main")
			fields := strings.Fields(seen)
			if !follows(fields, "num-slaves", "1") || !follows(fields, "num-other-sentinels", "2") {
				return false
			}
		}
		return true
	})
	return s
}

func follows(fields []string, name, value string) bool {
	for i := range len(fields) - 1 {
		if fields[i] == name && fields[i+1] == value {
			return true
		}
	}
	return false
}

func sentinel(t testing.TB, primary int) *RedisServer {
	t.Helper()
	s := &RedisServer{Port: FreePort(t)}
	dir := Folder(t)
	file := filepath.Join(dir, "sentinel.conf")
	lines := fmt.Sprintf("bind 127.0.0.1\nport %d\ndir %s\nsentinel monitor main 127.0.0.1 %d 2\n"+
		"sentinel down-after-milliseconds main 500\nsentinel failover-timeout main 5000\n", s.Port, dir, primary)
	if err := os.WriteFile(file, []byte(lines), 0o600); err != nil {
		t.Fatal(err)
	}
	binary := program(t, "redis-server")
	s.process = run(t, &servers.Process{
		Name: "redis-sentinel", Command: func() *exec.Cmd { return exec.Command(binary, file, "--sentinel") },
		Ready: func() error { return servers.Accepts(s.Port) },
	}, nil)
	return s
}

// URL names the Sentinels and the group.
func (s *RedisSentinelServers) URL() string {
	return fmt.Sprintf("redis://%s?addr=%s&addr=%s&master_set=main", s.sentinels[0].Addr(), s.sentinels[1].Addr(), s.sentinels[2].Addr())
}

// FailOver makes the Sentinels promote the replica, as before maintenance of the primary, and
// returns when they have done so.
func (s *RedisSentinelServers) FailOver() {
	s.Primary.t.Helper()
	s.sentinels[0].CLI("sentinel", "failover", "main")
	until(s.Primary.t, "the replica to take over", func() bool { return strings.HasPrefix(s.Replica.CLI("role"), "master") })
}

// until waits until a condition holds.
func until(t testing.TB, what string, holds func() bool) {
	t.Helper()
	for deadline := time.Now().Add(patience); !holds(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("waited %s for %s", patience, what)
		}
	}
}
