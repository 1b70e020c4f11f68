package upstreams

import (
	"bufio"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/cloakroom/cloakroom/test/servers"
)

// timeout is how long a program may take to start or to answer, on a busy machine.
const timeout = 90 * time.Second

// StartTomcat runs a Tomcat until the end of the test, with servlets at /svc/admin/*, /svc/* and
// /*, and returns its address.
func StartTomcat(t testing.TB) string {
	t.Helper()
	jars, err := filepath.Glob("/usr/share/java/tomcat10-embed-core.jar")
	if err != nil || len(jars) == 0 {
		t.Fatal("Tomcat is not installed: run `make setup`")
	}
	dir := servers.Folder(t)
	cmd := exec.Command("java", "-XX:TieredStopAtLevel=1", "-Xmx128m", "-cp", jars[0], "TomcatServer.java", dir)
	return start(t, cmd)[0]
}

// StartExpress runs two APIs on Express until the end of the test and returns their addresses. One
// routes /svc/admin by a router's path, the other compares its route's parameters.
func StartExpress(t testing.TB) (byRouter, byParameter string) {
	t.Helper()
	cmd := exec.Command("node", "express/server.mjs")
	if _, err := os.Stat(filepath.Join(folder(t), "express", "node_modules")); err != nil {
		t.Fatalf("Express is not installed: run `make setup` (%v)", err)
	}
	addresses := start(t, cmd)
	return addresses[0], addresses[1]
}

// StartNginx runs an nginx until the end of the test and returns two addresses. At the first, it
// answers with the path that it serves, and has the locations /svc/admin/, /svc/ and /. At the
// second, it forwards requests to the address behind, by a proxy_pass with a URI.
func StartNginx(t testing.TB, behind string) (serves, passes string) {
	t.Helper()
	one, two := servers.FreePort(t), servers.FreePort(t)
	servers.Nginx(t, one, fmt.Sprintf(`
server {
  listen 127.0.0.1:%d;
  default_type text/plain;
  location /           { add_header X-Area "";           return 200 "$uri"; }
  location /svc/       { add_header X-Area "/svc";       return 200 "$uri"; }
  location /svc/admin/ { add_header X-Area "/svc/admin"; return 200 "$uri"; }
}
server {
  listen 127.0.0.1:%d;
  location / { proxy_pass http://%s/; }
}`, one, two, behind))
	return fmt.Sprintf("127.0.0.1:%d", one), fmt.Sprintf("127.0.0.1:%d", two)
}

// folder is the folder of this file, wherever the test runs.
func folder(t testing.TB) string {
	t.Helper()
	_, file, _, ok := runtime.Caller(0)
	if !ok {
		t.Fatal("this file has no name")
	}
	return filepath.Dir(file)
}

// start runs a program that prints the ports that it listens on and ends when its standard input is
// closed.
func start(t testing.TB, cmd *exec.Cmd) (addresses []string) {
	t.Helper()
	cmd.Dir, cmd.Stderr = folder(t), t.Output()
	stdin, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatalf("start %s: %v", cmd.Path, err)
	}
	late := time.AfterFunc(timeout, func() { _ = cmd.Process.Kill() })
	line, err := bufio.NewReader(stdout).ReadString('\n')
	late.Stop()
	t.Cleanup(func() {
		_ = stdin.Close() // ends the program
		_ = cmd.Wait()    // its exit code does not matter
	})
	var ready struct{ Ports []int }
	if err != nil || json.Unmarshal([]byte(line), &ready) != nil || len(ready.Ports) == 0 {
		t.Fatalf("%s did not print its ports: %q (%v)", cmd.Path, line, err)
	}
	for _, port := range ready.Ports {
		addresses = append(addresses, fmt.Sprintf("127.0.0.1:%d", port))
	}
	return addresses
}

// An Asker requests paths from one server exactly as given. It reuses its connection as long as the
// server keeps it open.
type Asker struct {
	t       testing.TB
	address string
	conn    net.Conn
	answers *bufio.Reader
}

// Ask returns an Asker for the server at address.
func Ask(t testing.TB, address string) *Asker {
	t.Helper()
	a := &Asker{t: t, address: address}
	t.Cleanup(a.hangUp)
	return a
}

func (a *Asker) hangUp() {
	if a.conn != nil {
		_ = a.conn.Close()
		a.conn = nil
	}
}

// Get requests target from host localhost, with more header lines. It returns the answer and its
// body, which is already read.
func (a *Asker) Get(target string, lines ...string) (*http.Response, string) {
	a.t.Helper()
	for attempt := 0; ; attempt++ {
		res, body, err := a.try(target, lines)
		if err == nil {
			if res.Close {
				a.hangUp()
			}
			return res, body
		}
		a.hangUp()
		if attempt == 2 { // a server may have closed an idle connection
			a.t.Fatalf("GET %s of %s: %v", target, a.address, err)
		}
	}
}

func (a *Asker) try(target string, lines []string) (*http.Response, string, error) {
	if a.conn == nil {
		conn, err := net.DialTimeout("tcp", a.address, timeout)
		if err != nil {
			return nil, "", err
		}
		a.conn, a.answers = conn, bufio.NewReader(conn)
	}
	_ = a.conn.SetDeadline(time.Now().Add(timeout))
	_, port, _ := net.SplitHostPort(a.address)
	head := append([]string{"GET " + target + " HTTP/1.1", "Host: localhost:" + port, "X-CSRF: 1"}, lines...)
	if _, err := a.conn.Write([]byte(strings.Join(head, "\r\n") + "\r\n\r\n")); err != nil {
		return nil, "", err
	}
	res, err := http.ReadResponse(a.answers, nil)
	if err != nil {
		return nil, "", err
	}
	defer func() { _ = res.Body.Close() }()
	var body strings.Builder
	_, err = bufio.NewReader(res.Body).WriteTo(&body)
	return res, body.String(), err
}
