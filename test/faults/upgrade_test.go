package faults

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/cloakroom/cloakroom/test/servers"
)

// A service is upgraded without refusing a connection: another process, such as systemd, holds the
// socket and passes it to each process of the service (sd_listen_fds(3)).
func TestRestartOverAnInheritedSocketRefusesNobody(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	socket, err := l.(*net.TCPListener).File()
	if err != nil {
		t.Fatal(err)
	}
	defer socket.Close()
	dir := servers.Folder(t)
	run := func(name string) *exec.Cmd {
		admin := servers.FreePort(t)
		file := filepath.Join(dir, name+".yaml")
		text := fmt.Sprintf(`
server: {public_url: "http://localhost:9", listen: "127.0.0.1:1", admin_listen: "127.0.0.1:%d", shutdown_timeout: 5s, drain_delay: 300ms}
session: {store: "sqlite:%s/sessions.db"}
providers: [{id: main, issuer: "http://127.0.0.1:1", client_id: c, client_secret: s}]
routes: []
`, admin, dir)
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		// LISTEN_PID must be the process's own id. exec keeps the shell's.
		const script = `LISTEN_PID=$$ LISTEN_FDS=1 LISTEN_FDNAMES=public exec "$0" serve --config "$1"`
		c := exec.Command("sh", "-c", script, binary, file)
		c.ExtraFiles = []*os.File{socket}
		c.Stderr = os.Stderr
		if err := c.Start(); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = c.Process.Kill() })
		for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(10 * time.Millisecond) {
			resp, err := http.Get(fmt.Sprintf("http://127.0.0.1:%d/healthz", admin))
			if err == nil {
				_ = resp.Body.Close()
				break
			}
			if time.Now().After(deadline) {
				t.Fatalf("%s does not answer: %v", name, err)
			}
		}
		return c
	}

	current := run("first")
	ctx, cancel := context.WithCancel(t.Context())
	var callers sync.WaitGroup
	var calls atomic.Int32
	for _, keepAlive := range []bool{false, true, false, true} {
		client := &http.Client{Timeout: 10 * time.Second, Transport: &http.Transport{DisableKeepAlives: !keepAlive}}
		callers.Go(func() {
			for ctx.Err() == nil {
				resp, err := client.Get("http://" + l.Addr().String() + "/nothing-here")
				if err != nil {
					t.Errorf("after %d calls: %v", calls.Load(), err)
					return
				}
				_, _ = io.Copy(io.Discard, resp.Body)
				_ = resp.Body.Close()
				calls.Add(1)
			}
		})
	}
	for i := range 5 {
		time.Sleep(300 * time.Millisecond)
		if i%2 == 0 { // the new process starts before the old one stops
			next := run(fmt.Sprint("next-", i))
			stop(t, current)
			current = next
		} else { // the old process stops before the new one starts
			stop(t, current)
			current = run(fmt.Sprint("next-", i))
		}
	}
	time.Sleep(300 * time.Millisecond)
	cancel()
	callers.Wait()
	t.Logf("%d calls over 5 restarts", calls.Load())
	if calls.Load() < 100 {
		t.Errorf("only %d calls were made", calls.Load())
	}
}

func stop(t *testing.T, c *exec.Cmd) {
	t.Helper()
	if err := c.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if err := c.Wait(); err != nil {
		t.Errorf("the service did not stop cleanly: %v", err)
	}
}
