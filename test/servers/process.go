package servers

import (
	"bytes"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"sync"
	"syscall"
	"testing"
	"time"
)

// patience is how long a server may take to start or to stop.
const patience = 20 * time.Second

// A process is a server's program: started, killed, frozen and started again on the same port and files.
type process struct {
	t       testing.TB
	name    string
	command func() *exec.Cmd
	ready   func() error

	mu     sync.Mutex // guards what follows
	cmd    *exec.Cmd
	exited chan struct{}
	output bytes.Buffer
}

// run starts a process, and has it killed at the end of the test.
func run(t testing.TB, name string, command func() *exec.Cmd, ready func() error) *process {
	t.Helper()
	p := &process{t: t, name: name, command: command, ready: ready}
	t.Cleanup(p.Kill)
	p.Start()
	return p
}

// Start starts the server and returns when it answers.
func (p *process) Start() {
	p.t.Helper()
	p.mu.Lock()
	p.cmd = p.command()
	p.cmd.Stdout, p.cmd.Stderr = &p.output, &p.output
	if p.cmd.SysProcAttr == nil {
		p.cmd.SysProcAttr = &syscall.SysProcAttr{}
	}
	p.cmd.SysProcAttr.Setpgid = true
	err := p.cmd.Start()
	exited := make(chan struct{})
	p.exited = exited
	cmd := p.cmd
	p.mu.Unlock()
	if err != nil {
		p.t.Fatalf("start %s: %v", p.name, err)
	}
	go func() { _ = cmd.Wait(); close(exited) }()
	for deadline := time.Now().Add(patience); ; time.Sleep(5 * time.Millisecond) {
		err := p.ready()
		if err == nil {
			return
		}
		select {
		case <-exited:
			p.t.Fatalf("%s ended at its start: %s", p.name, p.output.String())
		default:
		}
		if time.Now().After(deadline) {
			p.Kill()
			p.t.Fatalf("%s does not answer: %v\n%s", p.name, err, p.output.String())
		}
	}
}

// Kill ends the server as a crash does (SIGKILL), and returns when it is gone.
func (p *process) Kill() { p.end(syscall.SIGKILL) }

// Stop ends the server as its operator does (SIGTERM), and returns when it is gone.
func (p *process) Stop() { p.end(syscall.SIGTERM) }

// Pause freezes the server: its connections stay, and it answers nothing.
func (p *process) Pause() { p.signal(syscall.SIGSTOP) }

// Continue ends a Pause.
func (p *process) Continue() { p.signal(syscall.SIGCONT) }

func (p *process) signal(sig syscall.Signal) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.cmd != nil && p.cmd.Process != nil {
		_ = syscall.Kill(-p.cmd.Process.Pid, sig)
	}
}

func (p *process) end(sig syscall.Signal) {
	p.mu.Lock()
	exited := p.exited
	p.mu.Unlock()
	p.signal(sig)
	p.signal(syscall.SIGCONT) // a frozen one ends only then
	if exited == nil {
		return
	}
	select {
	case <-exited:
	case <-time.After(patience):
		p.signal(syscall.SIGKILL)
		<-exited
	}
}

// FreePort is a loopback port that nobody listened on a moment ago.
func FreePort(t testing.TB) int {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatalf("find a free port: %v", err)
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port
}

// program is where a server's program is, in PATH or in one of the folders.
func program(t testing.TB, name string, folders ...string) string {
	t.Helper()
	if path, err := exec.LookPath(name); err == nil {
		return path
	}
	for _, pattern := range append(folders, "/usr/sbin", "/usr/local/sbin") {
		found, _ := filepath.Glob(filepath.Join(pattern, name))
		if len(found) > 0 {
			return found[len(found)-1]
		}
	}
	t.Fatalf("%s is not installed; `make setup` installs what the tests need", name)
	return ""
}

// folder is a temporary folder with a short path: those of sockets may have 107 bytes.
func folder(t testing.TB) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "cr-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	return dir
}

// answers reports whether something listens on a loopback port.
func answers(port int) error {
	c, err := net.DialTimeout("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(port)), time.Second)
	if err != nil {
		return fmt.Errorf("port %d: %w", port, err)
	}
	return c.Close()
}
