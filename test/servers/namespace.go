package servers

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
)

// namespaceEnv is set in a process that InNamespace started. It names the test.
const namespaceEnv = "CLOAKROOM_TEST_NAMESPACE"

// capNetAdmin is CAP_NET_ADMIN (capabilities(7)).
const capNetAdmin = 12

// InNamespace runs the calling test again in a process with its own network namespace, where
// packets can be dropped without affecting others. It returns true in that process, and false here,
// where the test must return:
//
//	if !servers.InNamespace(t) {
//		return
//	}
//
// Changes of the network end with that process. It works on Linux, for root, and for users who may
// create user namespaces.
func InNamespace(t *testing.T) bool {
	t.Helper()
	if os.Getenv(namespaceEnv) == t.Name() {
		command(t, program(t, "ip"), "link", "set", "lo", "up")
		return true
	}
	t.Parallel() // it waits most of the time
	c := exec.Command(os.Args[0], "-test.run", "^"+regexp.QuoteMeta(t.Name())+"$", "-test.v", "-test.timeout", "3m")
	c.Env = append(os.Environ(), namespaceEnv+"="+t.Name())
	c.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNET, Pdeathsig: syscall.SIGKILL}
	if uid, gid := os.Getuid(), os.Getgid(); uid != 0 {
		c.SysProcAttr.Cloneflags |= syscall.CLONE_NEWUSER
		c.SysProcAttr.UidMappings = []syscall.SysProcIDMap{{ContainerID: uid, HostID: uid, Size: 1}}
		c.SysProcAttr.GidMappings = []syscall.SysProcIDMap{{ContainerID: gid, HostID: gid, Size: 1}}
		c.SysProcAttr.AmbientCaps = []uintptr{capNetAdmin}
	}
	out, err := c.CombinedOutput()
	t.Logf("in a network of its own: %s", bytes.TrimSpace(out))
	if err != nil {
		t.Errorf("in a network of its own: %v; it needs root or user namespaces", err)
	} else if !bytes.Contains(out, []byte("--- PASS: "+t.Name())) {
		t.Error("the test did not run in a network of its own")
	}
	return false
}

// Vanish drops the packets of all existing connections to a loopback port in both directions,
// without a reset, as a firewall that has lost its state does. New connections work. It requires a
// process that InNamespace started.
func Vanish(t testing.TB, port int) {
	t.Helper()
	locals := strings.Join(connectionsTo(t, port), ", ")
	if locals == "" {
		t.Fatalf("there are no connections to port %d", port)
	}
	drop(t, fmt.Sprintf("tcp dport %[1]d tcp sport { %[2]s } drop\ntcp sport %[1]d tcp dport { %[2]s } drop", port, locals))
}

// Swallow drops all packets to and from a loopback port, also those of new connections, as if the
// machine had lost power.
func Swallow(t testing.TB, port int) {
	t.Helper()
	drop(t, fmt.Sprintf("tcp dport %[1]d drop\ntcp sport %[1]d drop", port))
}

func drop(t testing.TB, rules string) {
	t.Helper()
	if os.Getenv(namespaceEnv) == "" {
		t.Fatal("packets vanish in a network of one's own only; see InNamespace")
	}
	c := exec.Command(program(t, "nft"), "-f", "-")
	c.Stdin = strings.NewReader("table inet vanish {\nchain out {\ntype filter hook output priority 0;\n" + rules + "\n}\n}\n")
	if out, err := c.CombinedOutput(); err != nil {
		t.Fatalf("nft: %v: %s", err, out)
	}
}

// connectionsTo returns the local ports of this namespace's connections to a port (proc_net_tcp in
// the kernel's documentation).
func connectionsTo(t testing.TB, port int) (locals []string) {
	t.Helper()
	const established = "01"
	for _, table := range []string{"/proc/self/net/tcp", "/proc/self/net/tcp6"} {
		text, err := os.ReadFile(table)
		if err != nil {
			t.Fatal(err)
		}
		for line := range strings.Lines(string(text)) {
			f := strings.Fields(line)
			if len(f) < 4 || f[3] != established || !strings.HasSuffix(f[2], fmt.Sprintf(":%04X", port)) {
				continue
			}
			_, hex, _ := strings.Cut(f[1], ":")
			if n, err := strconv.ParseUint(hex, 16, 16); err == nil {
				locals = append(locals, strconv.FormatUint(n, 10))
			}
		}
	}
	return locals
}

func command(t testing.TB, name string, args ...string) {
	t.Helper()
	if out, err := exec.Command(name, args...).CombinedOutput(); err != nil {
		t.Fatalf("%s %s: %v: %s", name, strings.Join(args, " "), err, out)
	}
}
