package upstreams

import (
	"fmt"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/cloakroom/cloakroom/server"
	"github.com/cloakroom/cloakroom/test/providers/odd"
	"github.com/cloakroom/cloakroom/test/servers"
	"github.com/cloakroom/cloakroom/test/world"
)

// behind is a program behind cloakroom. Anybody may call what it serves below /svc, without a token
// or with the service's own; only users may call what it serves below /svc/admin.
type behind struct{ name, address, token string }

// cloakroom runs a server until the end of the test and returns its address. It has two routes for
// each program, /NAME/ and /NAME/admin/.
func cloakroom(t *testing.T, programs []behind) string {
	t.Helper()
	port, op := servers.FreePort(t), odd.New(t)
	app := t.TempDir()
	if err := os.WriteFile(filepath.Join(app, "index.html"), []byte("<!doctype html><title>app</title>"), 0o600); err != nil {
		t.Fatal(err)
	}
	var routes strings.Builder
	for _, p := range programs {
		base := "http://" + p.address + "/svc"
		fmt.Fprintf(&routes, "  - {path: /%s/, upstream: %q, token: %s, encoded_slashes: allow}\n",
			p.name, base, p.token)
		fmt.Fprintf(&routes, "  - {path: /%s/admin/, upstream: %q, token: user}\n", p.name, base+"/admin")
	}
	cfg := world.Parse(t, fmt.Sprintf(`
server: {public_url: "http://localhost:%d", listen: "127.0.0.1:%d", admin_listen: "127.0.0.1:0", shutdown_timeout: 3s, drain_delay: 0s}
session: {store: %q}
providers:
  - {id: main, issuer: %q, client_id: %q, client_secret: %q}
routes:
%s
spa: {dir: %q}
`, port, port, "sqlite:"+filepath.Join(t.TempDir(), "store.db"), op.Issuer(), op.Client.ID, op.Client.Secret, routes.String(), app))
	world.Serve(t, cfg, server.Options{})
	return fmt.Sprintf("127.0.0.1:%d", port)
}

// Without a login, nobody gets what a program serves below /svc/admin, however the path is spelled:
// neither through a route without a token nor through one with the service's own. Ordinary paths
// are forwarded.
func TestNoSpellingReachesWhatARealProgramGuards(t *testing.T) {
	tomcat := StartTomcat(t)
	byRouter, byParameter := StartExpress(t)
	nginx, onward := StartNginx(t, tomcat)
	programs := []behind{
		{"tomcat", tomcat, "none"},
		{"express", byRouter, "client"},
		{"parameters", byParameter, "client"},
		{"nginx", nginx, "none"},
		{"chain", onward, "none"}, // nginx, and Tomcat behind it
	}
	b := Ask(t, cloakroom(t, programs))
	ask := func(target string) *http.Response {
		t.Helper()
		res, _ := b.Get(target)
		return res
	}
	if res := ask("/parameters/group%2Fproject"); res.StatusCode != http.StatusOK {
		t.Errorf("an identifier with a slash = %d", res.StatusCode)
	}
	for _, p := range programs {
		for spelled, want := range map[string]int{
			"/admin/secret": 401, "/;/admin/secret": 400, "/;x=1/admin/secret": 400,
			"/Admin/secret": 400, "/ADMIN": 400, "/%61dmin/secret": 400,
			"/adm%C4%B1n": 400, "//admin/secret": 400,
			"/tas%E2%84%AA": 200, "/admin%2Fsecret": 400, "/%2Fadmin": 400,
		} {
			if res := ask("/" + p.name + spelled); res.StatusCode != want {
				t.Errorf("/%s%s = %d, want %d", p.name, spelled, res.StatusCode, want)
			}
		}
		g, served := NewTricks(7), 0
		for i := range 1500 {
			target := g.Path("/"+p.name, "/"+p.name+"/admin")
			if i%10 == 0 {
				target = g.Honest("/" + p.name)
			}
			target, _, _ = strings.Cut(target, "?")
			if _, err := url.ParseRequestURI(target); err != nil {
				continue
			}
			res := ask(target)
			if area := res.Header.Get("X-Area"); area == "/svc/admin" {
				t.Errorf("%s is served from %s", target, area)
			} else if area == "/svc" || p.name == "parameters" && res.StatusCode == http.StatusOK {
				served++
			}
			if i%10 == 0 && res.StatusCode != http.StatusOK {
				t.Errorf("%s, an ordinary path, = %d", target, res.StatusCode)
			}
		}
		if served < 150 {
			t.Errorf("%s served only %d paths, too few for this test", p.name, served)
		}
	}
}
