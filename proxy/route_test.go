package proxy

import (
	"net/http"
	"net/url"
	"path"
	"strings"
	"testing"

	"github.com/cloakroom/cloakroom/session"
)

func newTestProxy(t testing.TB, routes ...Route) *Proxy {
	t.Helper()
	p, err := New(Options{
		Routes: routes, Sessions: (*session.Manager)(nil), CookieName: "__Host-Http-cloakroom", Origin: "https://app.example.com",
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
		"/api/x": "a:1 /x", "/api/": "a:1 /", "/api": "a:1 /", "/api/v2/x%20y": "b:1 /base/x%20y", "/api/v2": "b:1 /base", "/api/v22": "a:1 /v22",
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

// PX4: what one route guards can't be spelled so that a looser one takes it, and the API still understands.
func TestNoSpellingGetsAroundARoute(t *testing.T) {
	p := newTestProxy(t,
		Route{Path: "/api/", Upstream: upstream(t, "http://a:1")},
		Route{Path: "/api/admin/", Upstream: upstream(t, "http://a:1/admin/"), Require: &Require{}},
		Route{Path: "/api/other/", Upstream: upstream(t, "http://a:1/other/")},
		Route{Path: "/API/", Upstream: upstream(t, "http://b:1")},
	)
	for in, want := range map[string]bool{
		"/api/admin/x": false, "/api/x/admin": false, "/api/adminx": false, "/api/x;a=b/y": false, "/api/%61bc": false, "/api/a%20b;c": false,
		"/API/x": false, "/api/administer/%61dmin": false, "/api/Other/x": false, "/API/OTHER": false, "/api/%6fther": true, "/api/admin/%61": false, "/api": false,
		"/api/%61dmin/x": true, "/api/%2561dmin/x": true, "/api/admin;a=b/x": true, "/api/admin;": true, "/api/%61dmin": true, "/api/admin%3Ba/x": true,
		"/api/Admin/x": true, "/api/ADMIN": true, "/API/admin/x": true, "/api/%41dmin;x/100%25": true,
	} {
		rt := p.find(in)
		if rt == nil {
			t.Fatalf("%s is no route's", in)
		}
		if got := p.disputed(in, rt); got != want {
			t.Errorf("%s at %s disputed = %v, want %v", in, rt.Path, got, want)
		}
	}
}

// PX6, SC7, SC8: our cookies go, whatever stands around them; every other byte stays.
func TestOtherCookiesStayByteForByte(t *testing.T) {
	p := newTestProxy(t)
	for in, want := range map[string]string{
		`a=1; __Host-Http-cloakroom=t; b="x; y"`:                             `a=1; b="x; y"`,
		"__Host-Http-cloakroom=t":                                            "",
		"__Host-Http-cloakroom-attempt-1=t; c=3":                             "c=3",
		"__host-http-CLOAKROOM=t;c":                                          "c",
		";; a ;=x; b=\xff":                                                   ";; a ;=x; b=\xff",
		"cloakroom=other app's; __Host-Http-cloakroom =t; cloakroom-attempt": "cloakroom=other app's; cloakroom-attempt",
	} {
		h := http.Header{"Cookie": {in}}
		p.StripCookies(h)
		if got := h.Get("Cookie"); got != want {
			t.Errorf("%q became %q, want %q", in, got, want)
		}
	}
}

// FuzzPath (PX4): whatever is passed on stays below the upstream's own path, for the most eager
// decoder too.
func FuzzPath(f *testing.F) {
	for _, s := range []string{"/api/x", "/api/../x", "/api/%2e%2e/x", "/api/%252e%252e%252fx", "/api/..;/x", "/api/%5c..%5cx", "/api//x", "/api/%c0%ae", "/api/%ff", "/api/%", "/api/%78/y", "/api/x;y/z"} {
		f.Add(s)
	}
	p := newTestProxy(f, Route{Path: "/api/", Upstream: upstream(f, "http://a:1/base/")}, Route{Path: "/api/x/", Upstream: upstream(f, "http://a:1/base/x/")})
	f.Fuzz(func(t *testing.T, s string) {
		u, err := url.ParseRequestURI(s)
		if err != nil || u.Host != "" {
			return
		}
		escaped := u.EscapedPath()
		rt := p.find(escaped)
		if rt == nil || ambiguous(escaped) || p.disputed(escaped, rt) {
			return
		}
		var out url.URL
		rt.setURL(&out, escaped, "")
		eager := out.EscapedPath()
		for range 5 {
			if next, err := url.PathUnescape(eager); err == nil {
				eager = next
			}
		}
		eager = path.Clean(strings.ReplaceAll(eager, `\`, "/"))
		if eager != "/base" && !strings.HasPrefix(eager, "/base/") {
			t.Errorf("%q reaches %q", s, eager)
		}
		if guarded := eager == "/base/x" || strings.HasPrefix(eager, "/base/x/"); guarded != (rt.Path == "/api/x/") {
			t.Errorf("%q reaches %q through the route %s", s, eager, rt.Path)
		}
	})
}
