package proxy

import (
	"net/http"
	"net/url"
	"testing"

	"github.com/cloakroom/cloakroom/session"
	"github.com/cloakroom/cloakroom/site"
	"github.com/cloakroom/cloakroom/site/sitetest"
)

func newTestProxy(t testing.TB, routes ...Route) *Proxy {
	t.Helper()
	p, err := New(Options{
		Routes: routes, Sessions: (*session.Manager)(nil), Site: sitetest.New(t, "https://app.example.com", site.Options{}),
		Fail: func(w http.ResponseWriter, _ *http.Request, _ error) { w.WriteHeader(http.StatusTeapot) },
	})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func upstream(t testing.TB, s string) *url.URL {
	t.Helper()
	u, err := url.Parse(s)
	if err != nil {
		t.Fatal(err)
	}
	return u
}

// PX5: the longest prefix wins, and ends where a segment does.
func TestRoutesMatchAtSegmentBorders(t *testing.T) {
	p := newTestProxy(t,
		Route{Path: "/api/", Upstream: upstream(t, "http://a:1")},
		Route{Path: "/api/v2/", Upstream: upstream(t, "http://b:1/base/")},
		Route{Path: "/x", Upstream: upstream(t, "http://c:1/y")},
	)
	for in, want := range map[string]string{
		"/api/x": "a:1 /x", "/api/": "a:1 /", "/api": "a:1 /", "/api/v2/x%20y": "b:1 /base/x%20y",
		"/api/v2": "b:1 /base", "/api/v22": "a:1 /v22",
		"/x": "c:1 /y", "/x/z": "c:1 /y/z", "/apix": "", "/API/x": "", "/": "",
	} {
		got := ""
		if rt := p.find(in); rt != nil {
			var out url.URL
			rt.setURL(&out, in, "q=1;2")
			got = out.Host + " " + out.EscapedPath()
			if out.RawQuery != "q=1;2" {
				t.Errorf("query of %s = %q", in, out.RawQuery)
			}
		}
		if got != want {
			t.Errorf("%s goes to %q, want %q", in, got, want)
		}
	}
	route := newTestProxy(t, Route{Path: "/", Upstream: upstream(t, "http://a:1/root/")})
	if rt := route.find("/any/thing"); rt == nil || rt.target("/any/thing") != "/root/any/thing" {
		t.Error("a route at / does not take everything")
	}
}

// route is the route by which Handler passes a path on; nil if it refuses the path, or no route takes it.
func (p *Proxy) route(escaped string) *route {
	rt, _ := p.lookUp(escaped)
	return rt
}
