package cluster

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"time"

	"github.com/cloakroom/cloakroom/demo/servers"
	"github.com/cloakroom/cloakroom/site"
)

// StageOptions configure the demo.
type StageOptions struct {
	Binary string // path of the service's program
	Listen string // the page's loopback address
	Users  int
	Out    io.Writer // receives the banner
	Ready  func(page, app string)
}

// Demo runs a cluster with its own Redis and simulated users, and a page that shows it and makes
// its parts fail, until ctx ends.
func Demo(ctx context.Context, o StageOptions) (err error) {
	host, port, err := net.SplitHostPort(o.Listen)
	if err != nil || !site.IsLoopback(host) {
		return fmt.Errorf("the demo listens on loopback only, such as 127.0.0.1:8090, not on %q", o.Listen)
	}
	folder, err := os.MkdirTemp("", "cr-cluster-")
	if err != nil {
		return fmt.Errorf("make folder for the demo: %w", err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(folder)) }()

	fmt.Fprintln(o.Out, "Starting Redis, three replicas and nginx …")
	s := &stage{began: time.Now()}
	defer s.close()
	if err := s.build(ctx, o.Binary, folder); err != nil {
		return err
	}
	var lc net.ListenConfig
	l, err := lc.Listen(ctx, "tcp", net.JoinHostPort(host, port))
	if err != nil {
		return fmt.Errorf("listen for the page: %w", err)
	}
	srv := &http.Server{Handler: s.handler(), ReadHeaderTimeout: 10 * time.Second}
	stop := context.AfterFunc(ctx, func() { _ = srv.Close() })
	defer stop()
	page := "http://" + l.Addr().String()
	const banner = "\n  The cluster:  %s\n  The app:      %s  (log in as alice, password wonderland)\n\n" +
		"  %d users send requests all the time. Break something. Stop with Ctrl-C.\n\n"
	fmt.Fprintf(o.Out, banner, page, s.cluster.App, o.Users)
	if o.Ready != nil {
		o.Ready(page, s.cluster.App)
	}
	users, leave := context.WithCancel(ctx)
	var crowd sync.WaitGroup
	crowd.Go(func() { s.cluster.Crowd.Run(users, o.Users) })
	defer crowd.Wait()
	defer leave()
	if err := srv.Serve(l); !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("serve the page: %w", err)
	}
	return nil
}

// A stage is the demo's cluster, with the faults in effect.
type stage struct {
	began   time.Time
	cluster *Cluster
	redis   *servers.Process

	mu      sync.Mutex // guards the fields below
	frozen  map[string]bool
	cut     map[string]bool
	mode    Mode
	history []entry
}

// An entry is an action in the page's history.
type entry struct {
	At   time.Time `json:"at"`
	Text string    `json:"text"`
}

func (s *stage) build(ctx context.Context, binary, folder string) (err error) {
	s.frozen, s.cut, s.mode = map[string]bool{}, map[string]bool{}, Well
	port, err := servers.FreePort()
	if err != nil {
		return err
	}
	data := filepath.Join(folder, "redis")
	if err := os.Mkdir(data, 0o700); err != nil {
		return err
	}
	if s.redis, err = servers.NewRedis(data, port); err != nil {
		return err
	}
	if err := s.redis.Start(); err != nil {
		return err
	}
	s.cluster, err = Start(ctx, Options{
		Binary: binary, Folder: folder, Replicas: 3,
		Store:               net.JoinHostPort("127.0.0.1", strconv.Itoa(port)),
		StoreURL:            func(address string) string { return "redis://" + address },
		AccessTokenLifetime: 5 * time.Second,
		RenewalLease:        10 * time.Second,
		Pace:                time.Second,
		Stay:                2 * time.Minute,
	})
	return err
}

func (s *stage) close() {
	if s.cluster != nil {
		s.cluster.Close()
	}
	if s.redis != nil {
		s.redis.Kill()
	}
}

// An action is what a button of the page does.
type action struct {
	text string                           // for the history
	do   func(s *stage, r *Replica) error // r is nil if the action concerns no replica
}

// actions are all actions, by the names that the page uses.
var actions = map[string]action{
	"kill":   {"kill -9", func(_ *stage, r *Replica) error { r.Kill(); return nil }},
	"start":  {"started again", func(_ *stage, r *Replica) error { return r.Start() }},
	"freeze": {"frozen (SIGSTOP)", func(s *stage, r *Replica) error { return s.pause(r.Process, r.Name) }},
	"wake":   {"resumed (SIGCONT)", func(s *stage, r *Replica) error { return s.resume(r.Process, r.Name) }},
	"cut": {"cut off from Redis", func(s *stage, r *Replica) error {
		r.Link.Cut()
		s.mark(s.cut, r.Name, true)
		return nil
	}},
	"mend": {"connected to Redis again", func(s *stage, r *Replica) error {
		r.Link.Mend()
		s.mark(s.cut, r.Name, false)
		return nil
	}},
	"redis-kill": {"Redis: kill -9", func(s *stage, _ *Replica) error { s.redis.Kill(); return nil }},
	"redis-start": {"Redis: started again, with its append-only file", func(s *stage, _ *Replica) error {
		return s.redis.Start()
	}},
	"redis-freeze":  {"Redis: frozen", func(s *stage, _ *Replica) error { return s.pause(s.redis, "redis") }},
	"redis-wake":    {"Redis: resumed", func(s *stage, _ *Replica) error { return s.resume(s.redis, "redis") }},
	"provider-well": {"the provider works", func(s *stage, _ *Replica) error { return s.setMode(Well) }},
	"provider-503":  {"the provider answers 503", func(s *stage, _ *Replica) error { return s.setMode(Failing) }},
	"provider-hang": {"the provider hangs", func(s *stage, _ *Replica) error { return s.setMode(Hanging) }},
	"provider-late": {"the provider answers late", func(s *stage, _ *Replica) error { return s.setMode(Late) }},
}

func (s *stage) pause(p *servers.Process, name string) error {
	p.Pause()
	s.mark(s.frozen, name, true)
	return nil
}

func (s *stage) resume(p *servers.Process, name string) error {
	p.Continue()
	s.mark(s.frozen, name, false)
	return nil
}

func (s *stage) mark(in map[string]bool, name string, is bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	in[name] = is
}

func (s *stage) setMode(m Mode) error {
	s.cluster.SetProvider(m)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.mode = m
	return nil
}

// historyKept is how many actions the page shows.
const historyKept = 30

// act runs an action. replica counts from 1; 0 means none.
func (s *stage) act(name string, replica int) error {
	a, ok := actions[name]
	if !ok || replica < 0 || replica > len(s.cluster.Replicas) {
		return fmt.Errorf("no action %q for replica %d", name, replica)
	}
	var r *Replica
	text := a.text
	if replica > 0 {
		r = s.cluster.Replicas[replica-1]
		text = fmt.Sprintf("Replica %d: %s", replica, a.text)
		if name == "kill" {
			s.mark(s.frozen, r.Name, false)
		}
	}
	if name == "redis-kill" {
		s.mark(s.frozen, "redis", false)
	}
	s.mu.Lock()
	s.history = append([]entry{{time.Now(), text}}, s.history[:min(len(s.history), historyKept-1)]...)
	s.mu.Unlock()
	return a.do(s, r)
}
