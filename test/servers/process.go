package servers

import (
	"os"
	"testing"
	"time"

	"github.com/cloakroom/cloakroom/demo/servers"
)

// patience is how long a test waits for a server.
const patience = 20 * time.Second

// A process is a server's program whose errors fail the test.
type process struct {
	*servers.Process
	t testing.TB
}

// run starts a process and kills it at the end of the test.
func run(t testing.TB, p *servers.Process, err error) *process {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Kill)
	s := &process{p, t}
	s.Start()
	return s
}

// Start starts the server again and returns when it answers.
func (p *process) Start() {
	p.t.Helper()
	if err := p.Process.Start(); err != nil {
		p.t.Fatal(err)
	}
}

// FreePort returns a loopback port that was free a moment ago.
func FreePort(t testing.TB) int {
	t.Helper()
	port, err := servers.FreePort()
	if err != nil {
		t.Fatal(err)
	}
	return port
}

// program returns the path of a server's program.
func program(t testing.TB, name string, folders ...string) string {
	t.Helper()
	path, err := servers.Program(name, folders...)
	if err != nil {
		t.Fatal(err)
	}
	return path
}

// Folder returns a temporary folder with a short path: the path of a socket has at most 107 bytes.
func Folder(t testing.TB) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "cr-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	return dir
}
