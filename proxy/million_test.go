package proxy

import (
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/cloakroom/cloakroom/test/upstreams"
)

// A table is a set of routes, and the ways around one of them that are tried: from what begins the path to
// what is meant to be reached.
type table struct {
	routes []Route
	ways   [][2]string
}

func tables(t testing.TB) []table {
	u := func(s string) *url.URL { return upstream(t, s) }
	admin := Require{Claims: map[string]string{"role": "admin"}}
	return []table{
		{[]Route{
			{Path: "/svc/", Upstream: u("http://u/svc"), Token: TokenUser},
			{Path: "/svc/admin/", Upstream: u("http://u/svc/admin"), Token: TokenUser, Require: admin},
			{Path: "/svc/public/", Upstream: u("http://u/svc/public"), Token: TokenNone},
		}, [][2]string{{"/svc", "/svc/admin"}, {"/svc/public", "/svc/admin"}, {"/svc/public", "/svc"}}},
		{[]Route{
			{Path: "/", Upstream: u("http://u"), Token: TokenNone},
			{Path: "/e/", Upstream: u("http://u/e"), Token: TokenClient},
			{Path: "/e/desk/", Upstream: u("http://u/e/desk"), Token: TokenUser},
		}, [][2]string{{"/e", "/e/desk"}, {"", "/e/desk"}, {"", "/e"}}},
		{[]Route{
			{Path: "/x/", Upstream: u("http://u/svc"), Token: TokenUser, Methods: []string{"GET"}},
			{Path: "/y/task.v4/", Upstream: u("http://u/svc/task.v4"), Token: TokenUser, Methods: []string{"PUT"}},
			{Path: "/x/sk-list/", Upstream: u("http://u/svc/sk-list"), Token: TokenUser, CSRF: CSRFNone},
		}, [][2]string{{"/x", "/x/task.v4"}, {"/x", "/x/sk-list"}, {"/x/sk-list", "/x/task.v4"}}},
		{[]Route{
			{Path: "/gl/", Upstream: u("http://u/"), Token: TokenOptional, EncodedSlashes: true},
			{Path: "/gl/api/v4/", Upstream: u("http://u/api/v4"), Token: TokenUser, EncodedSlashes: true},
			{Path: "/gl/api/v4/admin/", Upstream: u("http://u/api/v4/admin/"), Token: TokenUser, Scopes: []string{"admin"}},
		}, [][2]string{{"/gl", "/gl/api/v4/admin"}, {"/gl/api/v4", "/gl/api/v4/admin"}, {"/gl/api/v4", "/gl"}}},
	}
}

// around says by whose path a program serves what a route lets through, if that is none that the route may reach.
func around(p *Proxy, rt *route, escaped string, models []upstreams.Model, bases []string) (by, area string) {
	target := rt.target(escaped)
	for _, m := range models {
		base, ok := m.Area(target, bases)
		if !ok {
			continue
		}
		for _, other := range p.pathIndex.exact[rt.origin][base] {
			if other.class != rt.class && !slices.Contains(p.pathIndex.exact[rt.origin].lookUp(target), other) {
				return m.Name, base
			}
		}
	}
	return "", ""
}

func basesOf(p *Proxy) []string {
	var bases []string
	for _, rt := range p.routes {
		bases = append(bases, rt.base)
	}
	return bases
}

// million is how many paths are tried; a tenth under the race detector, which shows nothing here that
// takes more. `make test` runs both.
const million = 1_000_000

// Of a million paths that mean to get around a route none does, whatever program is behind, and of those that are
// honest none is refused.
func TestNoneOfAMillionPathsGetsAroundARoute(t *testing.T) {
	start, paths := time.Now(), million
	if raced {
		paths /= 10
	}
	const workers = 4
	var mu sync.Mutex // guards the sums
	var through, got, honest, refused int
	var wg sync.WaitGroup
	for w := range workers {
		wg.Go(func() {
			a, b, c, d := tryPaths(t, uint64(w), paths/workers)
			mu.Lock()
			defer mu.Unlock()
			through, got, honest, refused = through+a, got+b, honest+c, refused+d
		})
	}
	wg.Wait()
	t.Logf("%d paths in %v: %d were passed on, %d of them to what another route guards; %d were honest, %d of them refused",
		paths, time.Since(start), through, got, honest, refused)
	if got != 0 || refused != 0 || honest < paths/20 || through < paths/20 {
		t.Errorf("passed on %d, to another's %d, want 0; honest %d, refused %d, want 0", through, got, honest, refused)
	}
}

// tryPaths counts what n paths led to.
func tryPaths(t *testing.T, seed uint64, n int) (through, got, honest, refused int) {
	g, models := upstreams.NewTricks(seed), upstreams.Models()
	all := tables(t)
	proxies := make([]*Proxy, len(all))
	for i, table := range all {
		proxies[i] = newTestProxy(t, table.routes...)
	}
	for i := range n {
		at := i % len(all)
		p, way := proxies[at], all[at].ways[i/len(all)%len(all[at].ways)]
		if i%10 == 0 {
			honest++
			if path := g.Honest(way[0]); p.route(path) == nil {
				if refused++; refused < 20 {
					t.Errorf("honest path refused: %s", path)
				}
			}
			continue
		}
		target, _, _ := strings.Cut(g.Path(way[0], way[1]), "?")
		u, err := url.ParseRequestURI(target)
		if err != nil {
			continue // net/http refuses it
		}
		rt := p.route(u.EscapedPath())
		if rt == nil {
			continue
		}
		through++
		if by, area := around(p, rt, u.EscapedPath(), models, basesOf(p)); by != "" {
			if got++; got < 20 {
				t.Errorf("%s, passed on by %s, is served by %s from %q", u.EscapedPath(), rt.Path, by, area)
			}
		}
	}
	return through, got, honest, refused
}
