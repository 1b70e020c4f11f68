// Package servers starts real servers, Redis and nginx among them, on loopback ports and in folders of their
// own, and does to them what happens to servers: stops, kills and freezes them, and starts them again.
//
// It stands below demo because a command needs it: demo-cluster starts its Redis and its nginx with it. Tests
// start theirs with it, too, through test/servers. The service must not import it.
package servers

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"
)

// patience is how long a server may take to start or to stop.
const patience = 20 * time.Second

// A Process is a server's program: started, killed, frozen and started again on the same port and files.
type Process struct {
	Name    string
	Command func() *exec.Cmd // a new one for each start
	Ready   func() error     // nil once the server answers

	mu     sync.Mutex // guards what follows
	cmd    *exec.Cmd
	exited chan struct{}
	output tail
}

// Start starts the server and returns when it answers.
func (p *Process) Start() error {
	cmd, exited, err := p.launch()
	if err != nil {
		return fmt.Errorf("start %s: %w", p.Name, err)
	}
	go func() { _ = cmd.Wait(); close(exited) }()
	for deadline := time.Now().Add(patience); ; time.Sleep(5 * time.Millisecond) {
		err := p.Ready()
		if err == nil {
			return nil
		}
		select {
		case <-exited:
			return fmt.Errorf("%s ended at its start: %s", p.Name, p.Output())
		default:
		}
		if time.Now().After(deadline) {
			p.Kill()
			return fmt.Errorf("%s does not answer: %w: %s", p.Name, err, p.Output())
		}
	}
}

func (p *Process) launch() (*exec.Cmd, chan struct{}, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.cmd = p.Command()
	p.cmd.Stdout, p.cmd.Stderr = &p.output, &p.output
	if p.cmd.SysProcAttr == nil {
		p.cmd.SysProcAttr = &syscall.SysProcAttr{}
	}
	p.cmd.SysProcAttr.Setpgid = true // a Ctrl-C at the terminal is for whoever started it
	p.exited = make(chan struct{})
	return p.cmd, p.exited, p.cmd.Start()
}

// PID is the process's id; 0 before it was started.
func (p *Process) PID() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.cmd == nil || p.cmd.Process == nil {
		return 0
	}
	return p.cmd.Process.Pid
}

// Output is the last of what the server printed.
func (p *Process) Output() string { return p.output.String() }

// Running reports whether the process lives, frozen or not.
func (p *Process) Running() bool {
	p.mu.Lock()
	exited := p.exited
	p.mu.Unlock()
	if exited == nil {
		return false
	}
	select {
	case <-exited:
		return false
	default:
		return true
	}
}

// Kill ends the server as a crash does (SIGKILL), and returns when it is gone.
func (p *Process) Kill() { p.End(syscall.SIGKILL) }

// Stop ends the server as its operator does (SIGTERM), and returns when it is gone.
func (p *Process) Stop() { p.End(syscall.SIGTERM) }

// Pause freezes the server: its connections stay, and it answers nothing.
func (p *Process) Pause() { p.Signal(syscall.SIGSTOP) }

// Continue ends a Pause.
func (p *Process) Continue() { p.Signal(syscall.SIGCONT) }

// Signal sends a signal to the process and those it started.
func (p *Process) Signal(sig syscall.Signal) {
	if pid := p.PID(); pid != 0 && p.Running() {
		_ = syscall.Kill(-pid, sig)
	}
}

// End sends a signal that ends the process and returns when it is gone, by SIGKILL if nothing else helps.
func (p *Process) End(sig syscall.Signal) {
	if !p.Running() {
		return
	}
	p.mu.Lock()
	exited := p.exited
	p.mu.Unlock()
	p.Signal(sig)
	p.Signal(syscall.SIGCONT) // a frozen one ends only then
	select {
	case <-exited:
	case <-time.After(patience):
		p.Signal(syscall.SIGKILL)
		<-exited
	}
}

// tailSize is how much of a server's output is kept.
const tailSize = 64 << 10

// A tail keeps the last of what was written to it.
type tail struct {
	mu sync.Mutex // guards b
	b  bytes.Buffer
}

// Write implements io.Writer.
func (t *tail) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.b.Len() > tailSize {
		t.b.Next(t.b.Len() / 2)
	}
	return t.b.Write(p)
}

// String is what is kept.
func (t *tail) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.b.String()
}

// FreePort is a loopback port that nobody listened on a moment ago. It lies below those that Linux hands out by
// itself, so that neither a listener on port 0 nor a connection takes it meanwhile.
func FreePort() (int, error) {
	var err error
	for range 100 {
		port := 20_000 + rand.IntN(12_000)
		var l net.Listener
		if l, err = net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", port)); err == nil {
			return port, l.Close()
		}
	}
	return 0, fmt.Errorf("find a free port: %w", err)
}

// ErrMissing means that a server's program is not installed.
var ErrMissing = errors.New("is not installed; make setup installs it")

// Program is where a server's program is: in PATH, or in one of the folders, which may be patterns.
func Program(name string, folders ...string) (string, error) {
	if path, err := exec.LookPath(name); err == nil {
		return path, nil
	}
	for _, pattern := range append(folders, "/usr/sbin", "/usr/local/sbin") {
		if found, _ := filepath.Glob(filepath.Join(pattern, name)); len(found) > 0 {
			return found[len(found)-1], nil
		}
	}
	return "", fmt.Errorf("%s %w", name, ErrMissing)
}

// NewRedis is a redis-server with an append-only file in dir; options are further lines of its configuration.
func NewRedis(dir string, port int, options ...string) (*Process, error) {
	binary, err := Program("redis-server")
	if err != nil {
		return nil, err
	}
	lines := append([]string{
		"bind 127.0.0.1", "port " + strconv.Itoa(port), "dir " + dir, "appendonly yes", `save ""`, "maxmemory-policy noeviction",
		"repl-diskless-sync-delay 0",
	}, options...)
	file := filepath.Join(dir, "redis.conf")
	if err := os.WriteFile(file, []byte(strings.Join(lines, "\n")+"\n"), 0o600); err != nil {
		return nil, fmt.Errorf("configure redis-server: %w", err)
	}
	return &Process{
		Name: "redis-server", Command: func() *exec.Cmd { return exec.Command(binary, file) },
		Ready: func() error { return redisAnswers(port) },
	}, nil
}

// redisAnswers says PING; a server that wants a password first answers too.
func redisAnswers(port int) error {
	c, err := net.DialTimeout("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(port)), time.Second)
	if err != nil {
		return err
	}
	defer func() { _ = c.Close() }() // nothing is lost with it
	if err := c.SetDeadline(time.Now().Add(2 * time.Second)); err != nil {
		return err
	}
	if _, err := c.Write([]byte("PING\r\n")); err != nil {
		return err
	}
	answer := make([]byte, 128)
	n, err := c.Read(answer)
	if err != nil {
		return err
	}
	if said := string(answer[:n]); !strings.HasPrefix(said, "+PONG") && !strings.HasPrefix(said, "-NOAUTH") {
		return fmt.Errorf("it says %q", said)
	}
	return nil
}

// NewNginx is an nginx with one http block's text as its configuration, in dir; ready is a port it listens on.
func NewNginx(dir string, port int, httpBlock string) (*Process, error) {
	binary, err := Program("nginx")
	if err != nil {
		return nil, err
	}
	user := ""
	if os.Getuid() == 0 {
		user = "user root;"
	}
	text := fmt.Sprintf(`%s
daemon off; worker_processes 1; pid %[2]s/nginx.pid; error_log stderr warn;
events { worker_connections 4096; }
http {
  access_log off;
  client_body_temp_path %[2]s/body; proxy_temp_path %[2]s/proxy; fastcgi_temp_path %[2]s/fastcgi;
  uwsgi_temp_path %[2]s/uwsgi; scgi_temp_path %[2]s/scgi;
%[3]s
}
`, user, dir, httpBlock)
	file := filepath.Join(dir, "nginx.conf")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		return nil, fmt.Errorf("configure nginx: %w", err)
	}
	return &Process{
		Name: "nginx", Command: func() *exec.Cmd { return exec.Command(binary, "-p", dir, "-c", file) },
		Ready: func() error { return Accepts(port) },
	}, nil
}

// Accepts is nil when something listens on a loopback port.
func Accepts(port int) error {
	c, err := net.DialTimeout("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(port)), time.Second)
	if err != nil {
		return err
	}
	return c.Close()
}
