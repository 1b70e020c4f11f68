package servers

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/cloakroom/cloakroom/demo/servers"
)

// Caddy runs a Caddy with this Caddyfile, which listens on port, until the end of the test.
func Caddy(t testing.TB, port int, caddyfile string) {
	t.Helper()
	binary, err := servers.Program("caddy")
	if err != nil {
		t.Fatal(err)
	}
	dir := Folder(t)
	file := filepath.Join(dir, "Caddyfile")
	if err := os.WriteFile(file, []byte("{\n\tadmin off\n\tauto_https off\n}\n"+caddyfile), 0o600); err != nil {
		t.Fatal(err)
	}
	run(t, &servers.Process{
		Name: "caddy", Ready: func() error { return servers.Accepts(port) },
		Command: func() *exec.Cmd {
			c := exec.Command(binary, "run", "--config", file, "--adapter", "caddyfile")
			c.Env = append(os.Environ(), "HOME="+dir, "XDG_DATA_HOME="+dir, "XDG_CONFIG_HOME="+dir)
			return c
		},
	}, nil)
}

// Nginx runs an nginx with this http block, which listens on port, until the end of the test.
func Nginx(t testing.TB, port int, httpBlock string) {
	t.Helper()
	p, err := servers.NewNginx(Folder(t), port, httpBlock)
	run(t, p, err)
}
