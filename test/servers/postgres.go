package servers

import (
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/cloakroom/cloakroom/demo/servers"
)

// A PostgresServer is one PostgreSQL with an empty database.
type PostgresServer struct {
	*process
	Port int
	data string
}

const postgresBinaries = "/usr/lib/postgresql/*/bin"

// Postgres starts a PostgreSQL. options are more settings, name=value. PostgreSQL refuses to run as
// root; then it runs as the user postgres.
func Postgres(t testing.TB, options ...string) *PostgresServer {
	t.Helper()
	return postgres(t, options, "initdb", "-U", "cloakroom", "--auth=trust", "-E", "UTF8", "--no-locale", "--no-sync")
}

// Standby starts a standby of the server, and returns once it replicates.
func (s *PostgresServer) Standby(options ...string) *PostgresServer {
	s.t.Helper()
	standby := postgres(s.t, options, "pg_basebackup", "-h", "127.0.0.1", "-p", strconv.Itoa(s.Port),
		"-U", "cloakroom", "-R", "-c", "fast", "--no-sync")
	until(s.t, "the standby to replicate", func() bool {
		return s.SQL("SELECT count(*) FROM pg_stat_replication WHERE state = 'streaming'") == "1"
	})
	return standby
}

// Promote makes a standby the primary, and returns once it accepts writes.
func (s *PostgresServer) Promote() {
	s.t.Helper()
	if took := s.SQL("SELECT pg_promote()"); took != "t" {
		s.t.Fatalf("the standby does not take over: %s", took)
	}
}

// SQL runs a statement by psql and returns what it prints.
func (s *PostgresServer) SQL(statement string) string {
	s.t.Helper()
	out, err := exec.Command(program(s.t, "psql", postgresBinaries), "-XAtq", "-d", s.URL(), "-c", statement).CombinedOutput()
	if err != nil {
		s.t.Fatalf("%s: %v: %s", statement, err, out)
	}
	return strings.TrimSpace(string(out))
}

// postgres starts a server after a program has created its data folder.
func postgres(t testing.TB, options []string, maker string, makerArgs ...string) *PostgresServer {
	t.Helper()
	dir := Folder(t)
	s := &PostgresServer{Port: FreePort(t), data: filepath.Join(dir, "data")}
	as := unprivileged(t, dir)
	data := exec.Command(program(t, maker, postgresBinaries), append(makerArgs, "-D", s.data)...)
	data.SysProcAttr, data.Dir = &syscall.SysProcAttr{Credential: as}, dir
	if out, err := data.CombinedOutput(); err != nil {
		t.Fatalf("%s: %v: %s", maker, err, out)
	}
	args := []string{"-D", s.data, "-p", strconv.Itoa(s.Port), "-c", "listen_addresses=127.0.0.1", "-c", "unix_socket_directories=" + dir}
	for _, o := range options {
		args = append(args, "-c", o)
	}
	binary := program(t, "postgres", postgresBinaries)
	ready := program(t, "pg_isready", postgresBinaries)
	s.process = run(t, &servers.Process{
		Name: "postgres",
		Command: func() *exec.Cmd {
			c := exec.Command(binary, args...)
			c.SysProcAttr, c.Dir = &syscall.SysProcAttr{Credential: as}, dir
			return c
		},
		Ready: func() error {
			return exec.Command(ready, "-q", "-h", "127.0.0.1", "-p", strconv.Itoa(s.Port)).Run()
		},
	}, nil)
	return s
}

// URL is the URL of the server's database.
func (s *PostgresServer) URL() string {
	return fmt.Sprintf("postgres://cloakroom@127.0.0.1:%d/postgres?sslmode=disable", s.Port)
}

// Stop ends the server by SIGINT, a fast shutdown that does not wait for clients.
func (s *PostgresServer) Stop() { s.End(syscall.SIGINT) }

// Kill ends the server as a crash would. It also kills the children, which have their own process
// groups: a remaining one would delay the next start.
func (s *PostgresServer) Kill() {
	children := s.children()
	s.process.Kill()
	for _, pid := range children {
		_ = syscall.Kill(pid, syscall.SIGKILL)
	}
}

// Pause freezes the server and its children.
func (s *PostgresServer) Pause() {
	s.process.Pause()
	for _, pid := range s.children() {
		_ = syscall.Kill(pid, syscall.SIGSTOP)
	}
}

// Continue ends a Pause.
func (s *PostgresServer) Continue() {
	for _, pid := range s.children() {
		_ = syscall.Kill(pid, syscall.SIGCONT)
	}
	s.process.Continue()
}

// children returns the child processes of the server.
func (s *PostgresServer) children() (pids []int) {
	parent := strconv.Itoa(s.PID())
	stats, _ := filepath.Glob("/proc/[0-9]*/stat")
	for _, path := range stats {
		b, err := os.ReadFile(path)
		if err != nil {
			continue
		}
		_, rest, _ := strings.Cut(string(b), ") ")
		if f := strings.Fields(rest); len(f) > 1 && f[1] == parent {
			if pid, err := strconv.Atoi(filepath.Base(filepath.Dir(path))); err == nil {
				pids = append(pids, pid)
			}
		}
	}
	return pids
}

// unprivileged makes the user postgres the owner of a folder or file and returns that user, if this
// process is root. Otherwise it returns nil.
func unprivileged(t testing.TB, path string) *syscall.Credential {
	t.Helper()
	if os.Getuid() != 0 {
		return nil
	}
	u, err := user.Lookup("postgres")
	if err != nil {
		t.Fatalf("PostgreSQL does not run as root, and there is no user postgres: %v; `make setup` installs what the tests need", err)
	}
	uid, _ := strconv.Atoi(u.Uid)
	gid, _ := strconv.Atoi(u.Gid)
	if err := os.Chown(path, uid, gid); err != nil {
		t.Fatal(err)
	}
	return &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}
}
