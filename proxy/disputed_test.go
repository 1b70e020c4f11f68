package proxy

import (
	"net/url"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"
)

// Two routes are told apart by whatever they demand. A field that is new must be written down here as
// guarding or not.
func TestEveryFieldOfARouteIsKnownToGuardOrNot(t *testing.T) {
	guards := []string{"Token", "CSRF", "Methods", "SharedCache", "Scopes", "Provider", "EndWithToken", "Require", "EncodedSlashes"}
	guardsNot := []string{"Path", "Upstream", "Timeout", "IdleConnectionTimeout"}
	for i := range reflect.TypeFor[Route]().NumField() {
		field := reflect.TypeFor[Route]().Field(i)
		if slices.Contains(guards, field.Name) == slices.Contains(guardsNot, field.Name) {
			t.Errorf("is %s part of what a route demands? Write it into guards or guardsNot, and into Route.guard if it is not",
				field.Name)
		}
		var plain, other Route
		fill(t, reflect.ValueOf(&other).Elem().Field(i))
		if got, want := !plain.sameGuard(other), slices.Contains(guards, field.Name); got != want {
			t.Errorf("two routes that differ in %s guard differently = %v, want %v", field.Name, got, want)
		}
	}
	in, order := Route{Methods: []string{"GET", "PUT"}}, Route{Methods: []string{"PUT", "GET"}}
	if !in.sameGuard(order) {
		t.Error("the order of methods is taken for a difference")
	}
	role := func(name string) Route {
		return Route{Require: Require{Claims: map[string]string{"role": name}}}
	}
	if a, b := role("a"), role("b"); a.sameGuard(b) || !a.sameGuard(a) {
		t.Error("routes are told apart by the address of what they require, not by what it is")
	}
}

// fill puts something that is not zero into a field.
func fill(t *testing.T, v reflect.Value) {
	t.Helper()
	switch v.Kind() {
	case reflect.String:
		v.SetString("x")
	case reflect.Bool:
		v.SetBool(true)
	case reflect.Int, reflect.Int64:
		v.SetInt(1)
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 1, 1))
	case reflect.Map:
		v.Set(reflect.MakeMap(v.Type()))
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
	case reflect.Struct:
		fill(t, v.Field(0))
	default:
		t.Fatalf("a field of kind %s: teach fill to fill it", v.Kind())
	}
}

// PX4: what one route guards can't be spelled so that a looser one takes it, and the API still understands.
// Where two routes demand the same and lead to the same place, nobody gains anything.
func TestNoSpellingGetsAroundARoute(t *testing.T) {
	p := newTestProxy(t,
		Route{Path: "/api/", Upstream: upstream(t, "http://a:1")},
		Route{Path: "/api/admin/", Upstream: upstream(t, "http://a:1/admin/"), Require: Require{MaxAge: time.Hour}},
		Route{Path: "/api/other/", Upstream: upstream(t, "http://a:1/other/")},
		Route{Path: "/api/away/", Upstream: upstream(t, "http://c:1/")},
		Route{Path: "/API/", Upstream: upstream(t, "http://b:1")},
	)
	for in, want := range map[string]bool{
		"/api/admin/x": false, "/api/x/admin": false, "/api/adminx": false, "/api/x;a=b/y": false,
		"/api/%61bc": false, "/api/a%20b;c": false,
		"/API/x": false, "/api/administer/%61dmin": false, "/api/Other/x": false,
		"/API/x/OTHER": false, "/api/%6fther": false, "/api/admin/%61": false, "/api": false,
		"/api/away": false, "/api/Away/x": true, "/api/%61way": true,
		"/api/%61dmin/x": true, "/api/%2561dmin/x": true, "/api/admin;a=b/x": true,
		"/api/admin;": true, "/api/%61dmin": true, "/api/admin%3Ba/x": true,
		"/api/Admin/x": true, "/api/ADMIN": true, "/API/admin/x": true, "/api/%41dmin;x/100%25": true,
		"/api/;/admin/x": true, "/api/;x=1/admin": true, "/api/%3B/admin": true,
		"/api/admin%3Fx/y": true, "/api/admin%23": true, "/api/admin./x": true,
		"/api/admin%20/x":                 true,
		"/api/admin::$INDEX_ALLOCATION/x": true, "/api/%20/admin": true,
		"/api/%EF%BD%81dmin/x": true, "/api/adm%C4%B1n": true, "/api/adm%C4%B0n": true,
		"/api/%C3%A1dmin":     true,
		"/api/ad%E2%80%8Bmin": true, "/api/adm%2569n": true, "/api/adm%25u0069n": true,
		"/api/admin%EF%BC%8Fx": true, "/api/%EF%BC%8Fadmin": true, "/api/admin%EF%BC%9Bx": true,
		"/api/%C5%A1dmin": true, "/api/admin%C4%AFx": true,
		"/api/%EF%BC%85%EF%BC%96%EF%BC%91dmin": true, "/api/ad%C3%ADmin": false,
		"/api/\u212A": false,
	} {
		rt := p.find(in)
		if rt == nil {
			t.Fatalf("%s is no route's", in)
		}
		if got := p.route(in) == nil; got != want {
			t.Errorf("%s at %s refused = %v, want %v", in, rt.Path, got, want)
		}
	}
}

// What the upstream would take for a path that another route guards is refused by the path that it gets, too. Who leads a looser route
// onto another's ground means it.
func TestRoutesAreToldApartByTheirUpstreamToo(t *testing.T) {
	p := newTestProxy(t,
		Route{Path: "/x/", Upstream: upstream(t, "http://u:80/svc"), Token: TokenNone},
		Route{Path: "/s/", Upstream: upstream(t, "http://U/svc/admin"), Token: TokenUser},
		Route{Path: "/open/", Upstream: upstream(t, "http://u/other"), Token: TokenNone},
		Route{Path: "/y/", Upstream: upstream(t, "http://v/svc"), Token: TokenNone},
	)
	for in, want := range map[string]bool{
		"/x/admin/y": false, "/x/admin/caf%C3%A9": false, "/x/ADMIN/y": true, "/x/%61dmin": true,
		"/x/adm%C4%B1n": true, "/x/b/%C3%A9": false, "/s/Y": false, "/open/admin": false,
		"/y/ADMIN": false,
	} {
		if got := p.route(in) == nil; got != want {
			t.Errorf("%s refused = %v, want %v", in, got, want)
		}
	}
}

// PX4: GitLab's identifiers go through byte for byte where a route allows it, and nothing else does.
func TestEncodedSlashesPassWhereARouteAllowsThem(t *testing.T) {
	p := newTestProxy(t,
		Route{Path: "/gl/", Upstream: upstream(t, "http://g/api/"), EncodedSlashes: true},
		Route{Path: "/gl/admin/", Upstream: upstream(t, "http://g/api/admin/"), EncodedSlashes: true, Require: Require{MaxAge: time.Hour}},
		Route{Path: "/else/", Upstream: upstream(t, "http://g/else/")},
	)
	for in, want := range map[string]string{
		"/gl/projects/a%2Fb":       "/api/projects/a%2Fb",
		"/gl/projects/a%2fb%2Fc/x": "/api/projects/a%2fb%2Fc/x",
		"/gl/projects/a%252Fb":     "/api/projects/a%252Fb", "/gl/admin/a%2Fb": "/api/admin/a%2Fb",
		"/else/a%2Fb": "", "/else/a%252Fb": "", "/gl/admin%2Fx": "", "/gl/a%2F..%2Fadmin": "",
		"/gl/a%2F%2Fb": "", "/gl/%2Fadmin": "", "/gl/a%2F": "/api/a%2F", "/gl/a%2F.": "",
		"/gl/a%2F%2e%2e":         "",
		"/gl/a%252F..%252Fadmin": "", "/gl/ADMIN%2Fx": "", "/gl%2Fadmin": "", "/gl/%5Ca%2Fb": "",
		"/gl/x%2F;%2Fb": "", "/gl/admin;x%2Fz/y": "", "/gl/admin;x%252Fz/y": "",
	} {
		got := ""
		if rt := p.route(in); rt != nil {
			var out url.URL
			rt.setURL(&out, in, "")
			got = out.EscapedPath()
		}
		if got != want {
			t.Errorf("%s goes to %q, want %q", in, got, want)
		}
	}
}

// A path that is refused belongs to a route where one of its readings does: the app never answers it.
func TestAmbiguousPathsAreTheRoutesNotTheApps(t *testing.T) {
	p := newTestProxy(t,
		Route{Path: "/api/", Upstream: upstream(t, "http://a")},
		Route{Path: "/api/admin/", Upstream: upstream(t, "http://a"), Token: TokenUser},
	)
	for in, want := range map[string]bool{
		"/api/x": true, "/;/api/x": true, "//api/x": true, "/x/../api/": true,
		"/x/%2e%2e/api/x": true, "/%5capi/x": true, "/x%2F..%2Fapi": true,
		"/x/..%EF%BC%8Fapi": true,
		"/app":              false, "/apix": false, "/API/x": false, "//app": false, "/caf%C3%A9": false, "/a;b": false, "/": false,
	} {
		if got := p.Handler(in) != nil; got != want {
			t.Errorf("%s is a route's = %v, want %v", in, got, want)
		}
	}
}

func TestOverlappingRoutesAreNamed(t *testing.T) {
	u := func(s string) *url.URL { return upstream(t, s) }
	for name, c := range map[string]struct {
		routes []Route
		want   string
	}{
		"a looser way in": {
			[]Route{
				{Path: "/x/", Upstream: u("http://u/svc"), Token: TokenNone},
				{Path: "/svc/admin/", Upstream: u("http://u/svc/admin"), Token: TokenUser},
			},
			"routes[0] (/x/) leads to http://u:80/svc/admin too, by /x/admin/",
		},
		"kept by a third": {
			[]Route{
				{Path: "/x/", Upstream: u("http://u/svc"), Token: TokenNone},
				{Path: "/x/admin/", Upstream: u("http://u/svc/admin"), Token: TokenUser},
			},
			"",
		},
		"another upstream": {
			[]Route{
				{Path: "/x/", Upstream: u("http://u/svc"), Token: TokenNone},
				{Path: "/y/", Upstream: u("http://v/svc/admin"), Token: TokenUser},
			},
			"",
		},
		"a stricter way": {
			[]Route{
				{Path: "/x/", Upstream: u("http://u/svc"), Token: TokenUser},
				{Path: "/y/", Upstream: u("http://u/svc/open"), Token: TokenNone},
			},
			"",
		},
		"case alone": {
			[]Route{
				{Path: "/x", Upstream: u("http://u/svc"), Token: TokenUser},
				{Path: "/X/", Upstream: u("http://u/svc"), Token: TokenNone},
			},
			"differ in case",
		},
	} {
		got := strings.Join(overlaps(c.routes), "\n")
		if (c.want == "") != (got == "") || !strings.Contains(got, c.want) {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
}
