package proxy

import (
	"bufio"
	"net/url"
	"os"
	"path"
	"strings"
	"testing"

	"github.com/cloakroom/cloakroom/test/upstreams"
)

// corpus reads the paths that are kept, one a line.
func corpus(t testing.TB, name string) []string {
	t.Helper()
	f, err := os.Open("testdata/paths/" + name)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = f.Close() }()
	var lines []string
	for s := bufio.NewScanner(f); s.Scan(); {
		if line := s.Text(); line != "" && line[0] != '#' {
			lines = append(lines, line)
		}
	}
	return lines
}

// The paths that once got around a route, or could have, and the honest ones that must not be refused with them.
func TestKeptPathsStayAsTheyWere(t *testing.T) {
	p := newTestProxy(t, tables(t)[0].routes...)
	for _, in := range corpus(t, "refused.txt") {
		if p.route(in) != nil {
			t.Errorf("%s is passed on", in)
		}
	}
	for _, in := range corpus(t, "honest.txt") {
		rt := p.route(in)
		if rt == nil {
			t.Errorf("%s is refused", in)
			continue
		}
		var out url.URL
		if rt.setURL(&out, in, ""); out.EscapedPath() != in {
			t.Errorf("%s became %s", in, out.EscapedPath())
		}
	}
}

// FuzzPath (PX4): whatever is passed on stays below the upstream's own path, for the most eager
// decoder too, and no program takes it for another route's.
func FuzzPath(f *testing.F) {
	for _, name := range []string{"refused.txt", "honest.txt"} {
		for _, s := range corpus(f, name) {
			f.Add(s)
		}
	}
	p, models := newTestProxy(f, tables(f)[0].routes...), upstreams.Models()
	outer := newTestProxy(f, Route{Path: "/svc/", Upstream: upstream(f, "http://a:1/base/")})
	f.Fuzz(func(t *testing.T, s string) {
		u, err := url.ParseRequestURI(s)
		if err != nil || u.Host != "" {
			return
		}
		escaped := u.EscapedPath()
		if rt := p.route(escaped); rt != nil {
			if by, area := around(p, rt, escaped, models, basesOf(p)); by != "" {
				t.Errorf("%q, passed on by %s, is served by %s from %q", s, rt.Path, by, area)
			}
		}
		rt := outer.route(escaped)
		if rt == nil {
			return
		}
		eager := rt.target(escaped)
		for range 5 {
			if next, err := url.PathUnescape(eager); err == nil {
				eager = next
			}
		}
		if eager = path.Clean(strings.ReplaceAll(eager, `\`, "/")); eager != "/base" && !strings.HasPrefix(eager, "/base/") {
			t.Errorf("%q reaches %q", s, eager)
		}
	})
}
