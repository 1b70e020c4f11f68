package upstreams

import (
	"encoding/hex"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// asked is the number of paths with which a program and its model are compared.
const asked = 6000

var areas = []string{"/svc/admin", "/svc", ""}

// paths yields paths that try to reach /svc/admin, and ordinary ones.
func paths(yield func(string) bool) {
	g := NewTricks(1)
	for i := range asked {
		path := g.Path([]string{"/svc", "", "/svc/public"}[i%3], "/svc/admin")
		if i%10 == 0 {
			path = g.Honest("/svc")
		}
		if i := strings.IndexByte(path, '?'); i >= 0 {
			path = path[:i]
		}
		if !yield(path) {
			return
		}
	}
}

// count counts results, and fails a test that compared too few paths.
type count struct{ served, secret, refused int }

func (c *count) done(t *testing.T) {
	t.Helper()
	t.Logf("%d served, %d of them from /svc/admin, %d refused", c.served, c.secret, c.refused)
	if c.secret < asked/100 || c.served < asked/4 {
		t.Errorf("of %d paths, %d were served, and %d reached /svc/admin: too few", asked, c.served, c.secret)
	}
}

// exactly fails if the program served another path than its model, or if only one of them refused
// it.
func (c *count) exactly(
	t *testing.T, m func(string) (string, bool), target string, res *http.Response, served string,
) {
	t.Helper()
	want, ok := m(target)
	got := res.StatusCode == http.StatusOK
	if got != ok || got && served != want {
		t.Errorf("%s: the program answered %d for %q, the model says %q, %v", target, res.StatusCode, served, want, ok)
	}
	if !got {
		c.refused++
		return
	}
	if c.served++; res.Header.Get("X-Area") == "/svc/admin" {
		c.secret++
	}
}

func TestTomcatReadsPathsAsItsModelDoes(t *testing.T) {
	server, c := Ask(t, StartTomcat(t)), count{}
	for target := range paths {
		res, _ := server.Get(target)
		path, err := hex.DecodeString(res.Header.Get("X-Path"))
		if err != nil {
			t.Fatal(err)
		}
		c.exactly(t, Tomcat, target, res, string(path))
		area, _ := Model{Reads: Tomcat}.Area(target, areas)
		if got := res.Header.Get("X-Area"); got != area {
			t.Errorf("%s: Tomcat served from %q, the model says %q", target, got, area)
		}
	}
	c.done(t)
}

func TestNginxReadsPathsAsItsModelDoes(t *testing.T) {
	behind := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("X-Uri", r.RequestURI)
	}))
	defer behind.Close()
	serves, passes := StartNginx(t, strings.TrimPrefix(behind.URL, "http://"))
	server, proxy, c := Ask(t, serves), Ask(t, passes), count{}
	for target := range paths {
		res, body := server.Get(target)
		c.exactly(t, Nginx, target, res, body)
		onward, _ := proxy.Get(target)
		read, ok := Nginx(target)
		if got, want := onward.Header.Get("X-Uri"), escapedByNginx(read); ok && got != want {
			t.Errorf("%s: nginx asks for %s, the model says %s", target, got, want)
		}
	}
	c.done(t)
}

// Express reports only the route that it found, so only that is compared. The models fold more
// letters than JavaScript's regular expressions: what the program serves, the model must serve too.
func TestExpressReadsPathsAsItsModelsDo(t *testing.T) {
	byRouter, byParameter := StartExpress(t)
	for _, s := range []struct {
		address string
		model   Model
	}{
		{byRouter, Model{Reads: Express, IgnoresCase: true}},
		{byParameter, Model{Reads: ExpressParameters, IgnoresCase: true}},
	} {
		server, c := Ask(t, s.address), count{}
		for target := range paths {
			res, _ := server.Get(target)
			if res.StatusCode != http.StatusOK {
				c.refused++
				continue
			}
			c.served++
			secret := res.Header.Get("X-Area") == "/svc/admin"
			if secret {
				c.secret++
			}
			area, _ := s.model.Area(target, areas)
			modelled := area == "/svc/admin"
			foldedByModel := strings.Contains(target, "%C5%BF") || strings.Contains(target, "%C4%B0") // ſ, İ
			if secret && !modelled || modelled && !secret && !foldedByModel {
				t.Errorf("%s: Express served from /svc/admin: %v, the model says %v", target, secret, modelled)
			}
		}
		c.done(t)
	}
}
