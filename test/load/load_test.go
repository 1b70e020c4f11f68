// Package load measures several replicas under load: the renewals that a burst of requests causes,
// how soon other replicas learn of a logout, what a request costs the store, and whether a large
// store is slower than a small one.
//
// Tests check counts. Times are measured by benchmarks, except the time in which a logout must be
// known.
package load

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/cloakroom/cloakroom/demo/cluster"
	"github.com/cloakroom/cloakroom/test/servers"
)

// binary is the service, built once.
var binary string

func TestMain(m *testing.M) {
	if had, err := runRole(); had {
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(func() int {
		dir, err := os.MkdirTemp("", "cr-load-")
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
		defer func() { _ = os.RemoveAll(dir) }()
		binary = filepath.Join(dir, "cloakroom")
		build := exec.Command("go", "build", "-tags", "nodemo", "-o", binary, "github.com/cloakroom/cloakroom/cmd/cloakroom")
		if out, err := build.CombinedOutput(); err != nil {
			fmt.Fprintf(os.Stderr, "build the service: %v: %s\n", err, out)
			return 1
		}
		return m.Run()
	}())
}

const (
	tokenLife    = 2 * time.Second
	maxStaleness = 2 * time.Second
)

// overRedis and overPostgres start three replicas without users. Access tokens last for tokenLife.
func overRedis(t *testing.T, redis *servers.RedisServer) *cluster.Cluster {
	return start(t, redis.Addr(), tokenLife, func(address string) string { return "redis://" + address })
}

func overPostgres(t *testing.T) *cluster.Cluster {
	pg := servers.Postgres(t)
	return start(t, net.JoinHostPort("127.0.0.1", fmt.Sprint(pg.Port)), tokenLife, func(address string) string {
		return "postgres://cloakroom@" + address + "/postgres?sslmode=disable"
	})
}

func start(t *testing.T, store string, life time.Duration, url func(string) string) *cluster.Cluster {
	t.Helper()
	c, err := cluster.Start(t.Context(), cluster.Options{
		Binary: binary, Folder: servers.Folder(t), Replicas: 3, Store: store, StoreURL: url,
		AccessTokenLifetime: life, RenewalLease: 30 * time.Second, Pace: time.Second, Stay: time.Minute,
	})
	t.Cleanup(func() { c.Close() })
	if err != nil {
		t.Fatalf("start the cluster: %v", err)
	}
	return c
}

func logIn(t *testing.T, c *cluster.Cluster) (cookie string) {
	t.Helper()
	cookie, _, err := c.Crowd.LogIn(t.Context())
	if err != nil {
		t.Fatalf("log in: %v", err)
	}
	return cookie
}

var client = &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 200}}

// ask sends a request to one replica directly, without the load balancer.
func ask(ctx context.Context, c *cluster.Cluster, replica int, cookie, method, path string) (*http.Response, error) {
	req, err := http.NewRequestWithContext(ctx, method, "http://"+c.Replicas[replica].Listen+path, nil)
	if err != nil {
		return nil, err
	}
	for name, value := range map[string]string{
		"Cookie": cookie, "X-CSRF": "1", "Origin": c.App, "Sec-Fetch-Site": "same-origin",
		"Accept": "application/json",
	} {
		req.Header.Set(name, value)
	}
	return client.Do(req)
}

func status(ctx context.Context, c *cluster.Cluster, replica int, cookie, method, path string) (int, error) {
	resp, err := ask(ctx, c, replica, cookie, method, path)
	if err != nil {
		return 0, err
	}
	_, _ = io.Copy(io.Discard, resp.Body)
	return resp.StatusCode, resp.Body.Close()
}

// A hundred concurrent requests at each of three replicas, just after the access token expired,
// cause one renewal and get 300 answers 200. The test repeats that ten times (RN2).
func TestStormOverReplicasIsOneRenewal(t *testing.T) {
	for name, c := range map[string]func(*testing.T) *cluster.Cluster{
		"Redis": func(t *testing.T) *cluster.Cluster { return overRedis(t, servers.Redis(t)) }, "PostgreSQL": overPostgres,
	} {
		t.Run(name, func(t *testing.T) {
			c := c(t)
			cookie := logIn(t, c)
			before := c.Provider().Renewals
			for round := 1; round <= 10; round++ {
				time.Sleep(tokenLife + 50*time.Millisecond)
				began := time.Now()
				var all sync.WaitGroup
				for i := range 300 {
					all.Go(func() {
						code, err := status(t.Context(), c, i%3, cookie, http.MethodGet, "/api/x")
						if err != nil || code != http.StatusOK {
							t.Errorf("round %d, request %d: %d %v", round, i, code, err)
						}
					})
				}
				all.Wait()
				p := c.Provider()
				t.Logf("round %d: 300 requests in %d ms", round, time.Since(began).Milliseconds())
				if n := p.Renewals - before; n != round || p.Reuses != 0 {
					t.Fatalf("round %d: renewals at the provider %d, reuses %d; want %d and 0",
						round, n, p.Reuses, round)
				}
			}
		})
	}
}

// The event streams at the other replicas send a logout at one replica.
func TestLogoutIsHeardByTheOtherReplicas(t *testing.T) {
	for name, c := range map[string]func(*testing.T) *cluster.Cluster{
		"Redis": func(t *testing.T) *cluster.Cluster { return overRedis(t, servers.Redis(t)) }, "PostgreSQL": overPostgres,
	} {
		t.Run(name, func(t *testing.T) {
			c := c(t)
			var took []time.Duration
			for range 40 {
				took = append(took, heard(t, c)...)
			}
			slices.Sort(took)
			median, last := took[len(took)/2], took[len(took)-1]
			t.Logf("40 logouts arrived at two other replicas: median %.1f ms, 95 %% %.1f ms, last %.1f ms "+
				"after the logout was sent", ms(median), ms(took[len(took)*95/100]), ms(last))
			if median > 50*time.Millisecond || last > maxStaleness {
				t.Errorf("median %v, last %v; want at most 50ms and %v", median, last, maxStaleness)
			}
		})
	}
}

func ms(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }

// heard logs a user out at one replica, and returns how long it took until the event streams at the
// others sent the end.
func heard(t *testing.T, c *cluster.Cluster) (took []time.Duration) {
	t.Helper()
	cookie := logIn(t, c)
	ended := make(chan time.Time, 2)
	for replica := 1; replica <= 2; replica++ {
		resp, err := ask(t.Context(), c, replica, cookie, http.MethodGet, "/bff/events")
		if err != nil || resp.StatusCode != http.StatusOK {
			t.Fatalf("listen: %v", err)
		}
		defer resp.Body.Close()
		lines := bufio.NewScanner(resp.Body)
		lines.Scan() // the first event: the stream is open
		go func() {
			for lines.Scan() {
				if strings.HasPrefix(lines.Text(), "event: ended") {
					break
				}
			}
			ended <- time.Now()
		}()
	}
	sent := time.Now()
	if code, err := status(t.Context(), c, 0, cookie, http.MethodPost, "/bff/logout"); err != nil || code >= 300 {
		t.Fatalf("log out: %d %v", code, err)
	}
	for range 2 {
		select {
		case at := <-ended:
			took = append(took, at.Sub(sent))
		case <-time.After(10 * time.Second):
			t.Fatal("no event within 10 s")
		}
	}
	return took
}

// A session in use costs the store nothing: while the API is called three thousand times with the
// user's token, Redis counts only the commands that the replicas send without any request.
func TestHotRequestsAskNothingOfTheStore(t *testing.T) {
	redis := servers.Redis(t)
	c := start(t, redis.Addr(), 10*time.Minute, func(address string) string { return "redis://" + address })
	cookie := logIn(t, c)
	window := func(requests int) (commands map[string]int) {
		before := commandStats(redis)
		until := time.Now().Add(time.Second)
		var all sync.WaitGroup
		for i := range 3 {
			all.Go(func() {
				for range requests / 3 {
					code, err := status(t.Context(), c, i, cookie, http.MethodGet, "/api/x")
					if err != nil || code != http.StatusOK {
						t.Errorf("request: %d %v", code, err)
					}
				}
			})
		}
		all.Wait()
		time.Sleep(time.Until(until))
		commands = map[string]int{}
		for name, calls := range commandStats(redis) {
			if calls > before[name] {
				commands[name] = calls - before[name]
			}
		}
		return commands
	}
	window(30) // each replica has read the session
	idle, busy := window(0), window(3000)
	t.Logf("commands in a second without requests: %v; in one with 3000: %v", idle, busy)
	for name, calls := range busy {
		switch name {
		case "ping", "zcard", "zrangebyscore": // from the outbox, the sweeper and connections, never a session
		case "evalsha", "publish": // heartbeats; Redis counts a script's other commands by their own names
			if calls > idle[name]+30 { // a slow second has more heartbeats
				t.Errorf("3000 requests, and Redis counted %d %s, %d without them", calls, name, idle[name])
			}
		default:
			t.Errorf("3000 requests cost Redis %d %s", calls, name)
		}
	}
}

// commandStats returns Redis's own counts of commands.
func commandStats(r *servers.RedisServer) map[string]int {
	counts := map[string]int{}
	for line := range strings.Lines(r.CLI("info", "commandstats")) {
		var calls int
		name, rest, found := strings.Cut(strings.TrimPrefix(strings.TrimSpace(line), "cmdstat_"), ":")
		if _, err := fmt.Sscanf(rest, "calls=%d", &calls); found && err == nil && name != "info" {
			counts[name] = calls
		}
	}
	return counts
}
