// Package servers starts real servers such as Redis and nginx, each on a loopback port and in its
// own folder. It can stop, kill, freeze and restart them.
//
// It is below demo because the command demo-cluster uses it. Tests use it too, through
// test/servers. The service must not import it.
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

// startTimeout is how long a server may take to start or to stop.
const startTimeout = 20 * time.Second

// A Process runs a server's program. It can be started again on the same port and files.
type Process struct {
	Name    string
	Command func() *exec.Cmd // returns a new command for each start
	Ready   func() error     // returns nil once the server answers

	mu     sync.Mutex // guards the fields below
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
	for deadline := time.Now().Add(startTimeout); ; time.Sleep(5 * time.Millisecond) {
		err := p.Ready()
		if err == nil {
			return nil
		}
		select {
		case <-exited:
			return fmt.Errorf("%s exited while it started: %s", p.Name, p.Output())
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
	p.cmd.SysProcAttr.Setpgid = true // Ctrl-C at the terminal must not reach it
	p.exited = make(chan struct{})
	return p.cmd, p.exited, p.cmd.Start()
}

// PID is the process id, or 0 before the first start.
func (p *Process) PID() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.cmd == nil || p.cmd.Process == nil {
		return 0
	}
	return p.cmd.Process.Pid
}

// Output is the end of the server's output.
func (p *Process) Output() string { return p.output.String() }

// Running reports whether the process exists, frozen or not.
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

// Kill ends the server by SIGKILL, as a crash would, and returns when it has exited.
func (p *Process) Kill() { p.End(syscall.SIGKILL) }

// Stop ends the server by SIGTERM and returns when it has exited.
func (p *Process) Stop() { p.End(syscall.SIGTERM) }

// Pause freezes the server: its connections stay open, and it does not answer.
func (p *Process) Pause() { p.Signal(syscall.SIGSTOP) }

// Continue ends a Pause.
func (p *Process) Continue() { p.Signal(syscall.SIGCONT) }

// Signal sends a signal to the process and its children.
func (p *Process) Signal(sig syscall.Signal) {
	if pid := p.PID(); pid != 0 && p.Running() {
		_ = syscall.Kill(-pid, sig)
	}
}

// End sends a signal that ends the process, and returns when it has exited. After startTimeout it
// sends SIGKILL.
func (p *Process) End(sig syscall.Signal) {
	if !p.Running() {
		return
	}
	p.mu.Lock()
	exited := p.exited
	p.mu.Unlock()
	p.Signal(sig)
	p.Signal(syscall.SIGCONT) // a frozen process handles the signal only then
	select {
	case <-exited:
	case <-time.After(startTimeout):
		p.Signal(syscall.SIGKILL)
		<-exited
	}
}

// tailSize is how many bytes of a server's output are kept, at least.
const tailSize = 64 << 10

// A tail keeps the end of what is written to it.
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

// String returns the bytes that are kept.
func (t *tail) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.b.String()
}

// FreePort returns a loopback port that was free a moment ago. It is below Linux's ephemeral ports,
// so that neither a listener on port 0 nor an outgoing connection takes it meanwhile.
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

// Program returns the path of a server's program, in PATH or in one of the folders, which may be
// glob patterns.
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

// NewRedis returns a redis-server with an append-only file in dir. options are more lines of its
// configuration.
func NewRedis(dir string, port int, options ...string) (*Process, error) {
	binary, err := Program("redis-server")
	if err != nil {
		return nil, err
	}
	lines := append([]string{
		"bind 127.0.0.1", "port " + strconv.Itoa(port), "dir " + dir,
		// Each write then reaches the kernel before its answer leaves, so that a killed server loses nothing.
		// With the default (everysec), Redis holds writes back for up to two seconds while the disk is busy.
		"appendonly yes", "appendfsync no", `save ""`, "maxmemory-policy noeviction", "repl-diskless-sync-delay 0",
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

// redisAnswers sends PING. An error that asks for a password is an answer, too.
func redisAnswers(port int) error {
	c, err := net.DialTimeout("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(port)), time.Second)
	if err != nil {
		return err
	}
	defer func() { _ = c.Close() }() // its error does not matter
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
		return fmt.Errorf("answer to PING: %q", said)
	}
	return nil
}

// NewNginx returns an nginx with this http block, in dir. port is a port that it listens on.
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

// Accepts returns nil if something listens on a loopback port.
func Accepts(port int) error {
	c, err := net.DialTimeout("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(port)), time.Second)
	if err != nil {
		return err
	}
	return c.Close()
}
