package vanish

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// inside is set in the process that runs in its own network namespace. It lists files that were
// made before, because that process may not be permitted to change the owner of files.
const inside = "CLOAKROOM_VANISH_INSIDE"

// enter runs the test again in a separate process with its own namespace, and reports whether this
// is that process.
func enter(t *testing.T, files []string) bool {
	t.Helper()
	if os.Getenv(inside) != "" {
		return true
	}
	var out []byte
	err := error(syscall.EPERM)
	if os.Getuid() == 0 {
		out, err = again(t, files, syscall.CLONE_NEWNET)
	}
	if err != nil && strings.Contains(err.Error(), syscall.EPERM.Error()) { // try as root of a user namespace
		out, err = again(t, files, syscall.CLONE_NEWNET|syscall.CLONE_NEWUSER)
	}
	if err != nil {
		t.Errorf("run in a network namespace (needs root, or permission to create user namespaces): %v", err)
	}
	t.Logf("%s", out)
	return false
}

func again(t *testing.T, files []string, flags uintptr) ([]byte, error) {
	t.Helper()
	c := exec.Command(os.Args[0], "-test.run=^"+t.Name()+"$", "-test.v", "-test.timeout=2m")
	c.Env = append(os.Environ(), inside+"="+strings.Join(files, "\n"))
	c.SysProcAttr = &syscall.SysProcAttr{Cloneflags: flags, Pdeathsig: syscall.SIGKILL}
	if flags&syscall.CLONE_NEWUSER != 0 {
		c.SysProcAttr.UidMappings = []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getuid(), Size: 1}}
		c.SysProcAttr.GidMappings = []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getgid(), Size: 1}}
	}
	return c.CombinedOutput()
}

// The service has the addresses first, until its packets are dropped, and second. Everything that
// it calls is at far.
const (
	first  = "10.77.0.2"
	second = "10.77.0.3"
	far    = "10.77.0.1"
)

// A network is two connected namespaces: the process's own, and the far one, in which only one
// thread runs.
type network struct {
	t     *testing.T
	calls chan func() // for the thread in the far namespace
}

func newNetwork(t *testing.T) *network {
	t.Helper()
	n := &network{t: t, calls: make(chan func())}
	there := make(chan string)
	go func() {
		runtime.LockOSThread() // never unlocked, so the thread and its namespace end with the goroutine
		if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
			t.Errorf("make a network namespace: %v", err)
		}
		there <- fmt.Sprintf("/proc/%d/task/%d/ns/net", os.Getpid(), unix.Gettid())
		for f := range n.calls {
			f()
		}
	}()
	namespace := <-there
	t.Cleanup(func() { close(n.calls) })
	n.ip("link set lo up")
	n.ip("link add near type veth peer name far")
	n.ip("link set far netns " + namespace)
	n.ip("addr add " + first + "/24 dev near")
	n.ip("addr add " + second + "/24 dev near")
	n.ip("link set near up")
	n.far(func() {
		n.ip("addr add " + far + "/24 dev far")
		n.ip("link set far up")
	})
	return n
}

// far runs f in the far namespace.
func (n *network) far(f func()) {
	done := make(chan struct{})
	n.calls <- func() { defer close(done); f() }
	<-done
}

func (n *network) ip(command string) {
	n.t.Helper()
	if out, err := exec.Command("ip", strings.Fields(command)...).CombinedOutput(); err != nil {
		n.t.Errorf("ip %s: %v: %s (iproute2 is needed: make setup)", command, err, out)
	}
}

// listen returns a listener in the far namespace.
func (n *network) listen() net.Listener {
	n.t.Helper()
	var (
		l   net.Listener
		err error
	)
	n.far(func() { l, err = net.Listen("tcp", far+":0") })
	if err != nil {
		n.t.Fatal(err)
	}
	return l
}

// vanish drops every packet to the service's first address from now on. New connections use the
// second address and work.
func (n *network) vanish() {
	n.far(func() { n.ip("route add blackhole " + first + "/32") })
	n.ip("route replace 10.77.0.0/24 dev near src " + second)
}
