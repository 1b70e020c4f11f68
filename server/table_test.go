package server_test

import (
	"bytes"
	"flag"
	"fmt"
	"maps"
	"net/http"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/cloakroom/cloakroom/test/world"

	"github.com/google/go-cmp/cmp"

	"github.com/cloakroom/cloakroom/config"
	"github.com/cloakroom/cloakroom/secret"
)

var update = flag.Bool("update", false, "write what every method gets at every path into testdata/table")

// tableMethods are the methods of Echo's Any, and two more that are legal.
var tableMethods = []string{
	"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "CONNECT", "PROPFIND", "REPORT", "QUERY", "BREW",
}

var publicPaths = []string{
	"/", "/app/page", "/index.html", "/missing.js", "/healthz",
	"/bff", "/bff/", "/bffx", "/BFF/user", "//bff/user", "/bff//user", "/bff%2Fuser", "/b%66f/user", "/bff/us%65r",
	"/bff/typo", "/bff/%25zz",
	"/bff/login", "/bff/login/", "/bff/silent-login", "/bff/callback", "/bff/callback/main", "/bff/callback/nobody",
	"/bff/callback/main/more",
	"/bff/logout", "/bff/logout/", "/bff/logout/continue", "/bff/logout/callback/main", "/bff/logout/callback/nobody", "/bff/logout/typo",
	"/bff/backchannel/main", "/bff/frontchannel/main", "/bff/jwks/main", "/bff/jwks/nobody",
	"/bff/user", "/bff/user/", "/bff/session", "/bff/session/", "/bff/session/refresh", "/bff/events",
	"/bff/auth", "/bff/auth/", "/bff/auth/orders/1", "/bff/auth%2Forders", "/bff/authx",
	"/bff/sessions", "/bff/sessions/", "/bff/sessions/x", "/bff/sessions/x/y", "/bff/sessions/end-others", "/bff/sessions/end-others/x",
	"/api", "/api/", "/api/x", "/apix", "/%61pi/x", "/api/a%2Fb", "/api/../bff/user", "/optional/x", "/open", "/open/x",
	"/meta/x", "/dead/x",
}

// strayPaths are paths that more than one part of the service could claim.
var strayPaths = []string{
	"/", "/app/page", "/bff", "/bffx", "//bff/user", "/bff%2Fuser", "/b%66f/user", "/bff/typo", "/bff/user", "/bff/login",
	"/bff/auth", "/bff/auth/", "/bff/auth/orders/1", "/bff/auth%2Forders", "/bff/authx", "/api/x", "/%61pi/x", "/api/a%2Fb", "/dead/x",
}

var adminPaths = []string{
	"/", "/typo", "/healthz", "/healthz/", "/readyz", "/metrics", "/bff/user", "/api/x",
	"/admin", "/admin/", "/admin/typo", "/admin/sessions", "/admin/sessions/", "/admin/sessions/x", "/admin/sessions/x/y",
	"/admin/providers", "/admin/revocations",
}

// testdata/table holds the answer to every method at every path of both listeners: status, code,
// Allow and all header fields. The files were written before the endpoints became a table of Echo
// routes: a change of routing must not change them.
func TestWhatEveryMethodGetsAtEveryPath(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name   string
		change func(*config.Config)
		admin  bool
		header []string
		paths  []string
	}{
		{name: "public", paths: publicPaths},
		{name: "navigation", paths: publicPaths, header: []string{
			"X-CSRF", "", "Accept", "text/html",
			"Sec-Fetch-Mode", "navigate", "Sec-Fetch-Dest", "document", "Sec-Fetch-Site", "same-origin",
		}},
		{name: "another-host", paths: []string{"/", "/bff", "/bff/user", "/bff/typo", "/api/x"}, header: []string{"Host", "evil.example"}},
		{name: "cors", change: allowSPA, paths: publicPaths, header: world.FromSPA(world.SPAOrigin)},
		{name: "cors-preflight", change: allowSPA, paths: publicPaths, header: preflight()},
		{name: "cors-root", change: routeAtRoot, paths: strayPaths, header: world.FromSPA(world.SPAOrigin)},
		{name: "cors-root-preflight", change: routeAtRoot, paths: strayPaths, header: preflight()},
		{name: "foreign", change: allowSPA, paths: strayPaths, header: world.FromSPA("http://evil.example")},
		{name: "admin", admin: true, paths: adminPaths, header: []string{"Authorization", "Bearer " + world.AdminToken}},
		{name: "admin-anonymous", admin: true, paths: adminPaths},
		{name: "admin-tokenless", admin: true, change: func(c *config.Config) { c.Admin.Token = secret.Value{} }, paths: adminPaths},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			g := world.NewStage(t)
			cfg := g.Config(g.Port, "memory:", "")
			if c.change != nil {
				c.change(cfg)
			}
			g.Run(cfg)
			origin := g.Origin
			if c.admin {
				origin = g.Admin
				world.Eventually(t, "readiness", func() bool { return g.Browser().Get(g.Admin+"/readyz").StatusCode == http.StatusOK })
			}
			wantGolden(t, "testdata/table/"+c.name+".txt", table(g, origin, c.paths, c.header))
		})
	}
}

// preflight is the request that a browser sends before a page of spaOrigin may POST.
func preflight() []string {
	return append(world.FromSPA(world.SPAOrigin), "X-CSRF", "", "Access-Control-Request-Method", "POST")
}

func allowSPA(c *config.Config) { c.Site.AllowedOrigins = []string{world.SPAOrigin} }

// routeAtRoot is allowSPA with a route that takes every path that nothing else claims, for certain
// methods.
func routeAtRoot(c *config.Config) {
	allowSPA(c)
	root := c.Proxy.Routes[0]
	root.Path, root.Methods = "/", []string{"GET", "OPTIONS", "BREW"}
	c.Proxy.Routes = append(c.Proxy.Routes, root)
}

// table lists what every method gets at every path. Methods with the same answer share a line, and
// each set of header fields is listed once, at the end.
func table(g *world.World, origin string, paths, header []string) []byte {
	g.T.Helper()
	var out bytes.Buffer
	sets := map[string]int{}
	for _, path := range paths {
		fmt.Fprintf(&out, "%s\n", path)
		var order []string
		who := map[string][]string{}
		for _, method := range tableMethods {
			got := answer(g, method, origin+path, header, sets)
			if who[got] == nil {
				order = append(order, got)
			}
			who[got] = append(who[got], method)
		}
		for _, got := range order {
			fmt.Fprintf(&out, "\t%s: %s\n", strings.Join(who[got], " "), got)
		}
	}
	for _, set := range slices.SortedFunc(maps.Keys(sets), func(a, b string) int { return sets[a] - sets[b] }) {
		fmt.Fprintf(&out, "\nheaders %d\n%s", sets[set], set)
	}
	return out.Bytes()
}

var (
	problemCode = regexp.MustCompile(`"code":"(\w+)"`)
	// volatile matches parts of header fields that differ between requests or runs.
	volatile = regexp.MustCompile(`attempt-[\w-]+|=[^;,]*`)
	port     = regexp.MustCompile(`(127\.0\.0\.1|localhost):\d+`)
)

// answer returns the answer to one request of a new browser.
func answer(g *world.World, method, target string, header []string, sets map[string]int) string {
	g.T.Helper()
	b := g.Browser()
	req, err := http.NewRequestWithContext(g.T.Context(), method, target, nil)
	if err != nil {
		g.T.Fatal(err)
	}
	req.Header.Set("X-CSRF", "1")
	for i := 0; i < len(header); i += 2 {
		switch {
		case header[i] == "Host":
			req.Host = header[i+1]
		case header[i+1] == "":
			req.Header.Del(header[i])
		default:
			req.Header.Set(header[i], header[i+1])
		}
	}
	r := b.Send(req)
	code := ""
	if m := problemCode.FindStringSubmatch(r.Text); m != nil {
		code = " " + m[1]
	}
	allow := ""
	if v, ok := r.Header["Allow"]; ok {
		allow = fmt.Sprintf(" Allow %q", v)
	}
	set := headerSet(r.Header)
	if sets[set] == 0 {
		sets[set] = len(sets) + 1
	}
	return fmt.Sprintf("%d%s%s, headers %d", r.StatusCode, code, allow, sets[set])
}

// headerSet returns a line for each header field, sorted, without the parts that change each time.
func headerSet(h http.Header) string {
	var out strings.Builder
	for _, name := range slices.Sorted(maps.Keys(h)) {
		switch name {
		case "Allow":
			continue
		case "Content-Length", "Date", "Etag", "Last-Modified", "X-Request-Id":
			fmt.Fprintf(&out, "\t%s: (%d)\n", name, len(h[name]))
			continue
		}
		for _, value := range h[name] {
			if name == "Location" || name == "Set-Cookie" {
				value = volatile.ReplaceAllString(value, "…")
			}
			value = port.ReplaceAllString(value, "$1")
			fmt.Fprintf(&out, "\t%s: %s\n", name, value)
		}
	}
	return out.String()
}

func wantGolden(t *testing.T, path string, got []byte) {
	t.Helper()
	if *update {
		if err := os.WriteFile(path, got, 0o600); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), string(got)); diff != "" {
		t.Errorf("%s (-want +got):\n%s", path, diff)
	}
}
