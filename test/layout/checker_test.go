package layout

import (
	"slices"
	"strconv"
	"strings"
	"testing"
)

// TestCheckerFindsWhatItIsFor gives the checker small sources with one fault each, because a check
// that can't fail is worth nothing.
func TestCheckerFindsWhatItIsFor(t *testing.T) {
	const comment = "// Package x owns this.\n"
	code := func(text string) string { return comment + "package x\n" + text }
	imports := func(path string) string { return code("import _ " + strconv.Quote(path)) }
	for _, c := range []struct {
		name, path, text string
		want             string // begins the fault, after the path; "" means that there must be none
	}{
		{"a row above", "proxy/x.go", imports(module + "/session"), ""},
		{"the same row", "proxy/x.go", imports(module + "/web"), "proxy must not import web; it is in row 4"},
		{
			"the routes and the endpoints", "proxy/x.go", imports(module + "/handlers"),
			"proxy must not import handlers; it is the endpoints' own",
		},
		{
			"the app and the endpoints", "web/x.go", imports(module + "/handlers"),
			"web must not import handlers; it is the endpoints' own",
		},
		{
			"what only the endpoints use", "proxy/x.go", imports(module + "/handlers/headers"),
			"proxy must not import handlers/headers; it is the endpoints' own",
		},
		{"what the endpoints use, by them", "handlers/admin/x.go", imports(module + "/handlers/headers"), ""},
		{"the endpoints, at the root", "server/x.go", imports(module + "/handlers/headers"), ""},
		{
			"the codes and what is answered with them", "problem/x.go", imports(module + "/session"),
			"problem must not import session; it is in row 2",
		},
		{
			"a row below", "session/x.go", imports(module + "/session/login"),
			"session must not import session/login",
		},
		{"a store and its kinds", "session/store/x.go", imports(module + "/session/store/sqlite"), ""},
		{
			"kinds among each other", "session/store/memory/x.go", imports(module + "/session/store/sqlite"),
			"session/store/memory must not import",
		},
		{
			"a kind and the family's head", "session/store/memory/x.go", imports(module + "/session/store"),
			"session/store/memory must not import",
		},
		{
			"not in its row", "session/renewal/x.go", imports(module + "/session/store"),
			"session/renewal must not import session/store",
		},
		{
			"the admin's handlers apart", "handlers/x.go", imports(module + "/handlers/admin"),
			"handlers must not import handlers/admin",
		},
		{
			"the library in the service", "server/x.go", imports(module),
			"server must not import .; it is in row 7",
		},
		{"the service in the library", "x.go", imports(module + "/server"), ""},
		{"configuration at the root", "server/x.go", imports(module + "/config"), ""},
		{
			"configuration elsewhere", "proxy/x.go", imports(module + "/config"),
			"proxy must not import config; take the few values",
		},
		{
			"the demo in the service", "server/x.go", imports(module + "/demo"),
			"server must not import " + module + "/demo; the running service",
		},
		{
			"the demo's parts in the service", "check/x.go", imports(module + "/demo/devprovider"),
			"check must not import",
		},
		{
			"a provider library in the service", "provider/x.go",
			imports("github.com/zitadel/oidc/v3/pkg/op"),
			"provider must not import github.com/zitadel",
		},
		{
			"a provider library in the demo", "demo/devprovider/x.go",
			imports("github.com/zitadel/oidc/v3/pkg/op"),
			"",
		},
		{
			"tokens and their provider", "provider/jose/x.go", imports(module + "/provider"),
			"provider/jose must not import provider; it is in row 2",
		},
		{
			"tokens and HTTP", "provider/jose/x.go", imports("net/http"),
			"provider/jose must not import net/http; tokens are judged without HTTP",
		},
		{
			"a second judge of tokens", "session/login/x.go", imports("github.com/coreos/go-oidc/v3/oidc"),
			"session/login must not import github.com/coreos/go-oidc",
		},
		{"the judge of tokens", "provider/jose/x.go", imports("github.com/coreos/go-oidc/v3/oidc"), ""},
		{
			"the demo in its command", "cmd/cloakroom/x.go",
			"// Command cloakroom is it.\npackage main\nimport _ \"" + module + "/demo\"",
			"",
		},
		{
			"a test package in a package", "server/x.go", imports(module + "/test/providers"),
			"server must not import test/providers",
		},
		{"anything in a test", "session/x_test.go", imports(module + "/demo"), ""},
		{"anything below test", "test/faults/x.go", imports(module + "/demo"), ""},
		{"a package in no row", "cache/x.go", comment + "package x", "package cache is in no row"},

		{"no package comment", "proxy/x.go", "package x", "package proxy has no comment"},
		{
			"a package comment that names another", "proxy/x.go", "// Package y owns this.\npackage x",
			"package proxy has no comment",
		},
		{
			"a license is no package comment", "proxy/x.go", "// Copyright.\n\npackage x",
			"package proxy has no comment",
		},
		{"a function without comment", "proxy/x.go", code("func F() {}"), "F has no comment"},
		{"an unexported function", "proxy/x.go", code("func f() {}"), ""},
		{
			"a method without comment", "proxy/x.go", code("// T is.\ntype T struct{}\nfunc (t *T) M() {}"),
			"M has no comment",
		},
		{
			"a method of a generic type", "proxy/x.go",
			code("// T is.\ntype T[A, B any] struct{}\nfunc (t *T[A, B]) M() {}"),
			"M has no comment",
		},
		{"a method that nobody outside can name", "proxy/x.go", code("type t struct{}\nfunc (t) M() {}"), ""},
		{"a type without comment", "proxy/x.go", code("type T int"), "T has no comment"},
		{
			"a type in a group with one comment", "proxy/x.go", code("// Both.\ntype (\n\tT int\n)"),
			"T has no comment",
		},
		{"a constant without comment", "proxy/x.go", code("const C = 1"), "C has no comment"},
		{"a variable without comment", "proxy/x.go", code("var (\n\ta, V int\n)"), "V has no comment"},
		{
			"constants with a comment over them", "proxy/x.go",
			code("// Kinds.\nconst (\n\tC = 1\n\tD = 2\n)"),
			"",
		},
		{"constants with a comment behind them", "proxy/x.go", code("const (\n\tC = 1 // seconds\n)"), ""},
		{"a directive is no comment", "proxy/x.go", code("//go:noinline\nfunc F() {}"), "F has no comment"},

		{
			"an age by securecookie's clock", "keys/x.go",
			code("import \"github.com/gorilla/securecookie\"\nvar c = securecookie.New(nil, nil).MaxAge(60)"),
			"securecookie judges age by this machine's clock",
		},
		{
			"securecookie's age by default", "keys/x.go",
			code("import \"github.com/gorilla/securecookie\"\nvar c = securecookie.New(nil, nil)"),
			"securecookie judges age",
		},
		{
			"no age", "keys/x.go",
			code("import \"github.com/gorilla/securecookie\"\nvar c = securecookie.New(nil, nil).MaxAge(0)"),
			"",
		},
		{
			"sealing apart from the keyring", "handlers/x.go", imports("github.com/gorilla/securecookie"),
			"handlers must not import github.com/gorilla/securecookie; take a Codec",
		},
		{
			"a cookie of its own", "handlers/x.go", code("var c = &http.Cookie{}"),
			"a cookie is given attributes; take Site.NewCookie's",
		},
		{"the site's cookie", "site/x.go", code("var c = &http.Cookie{}"), ""},
		{
			"scs beside the manager", "handlers/x.go", imports("github.com/alexedwards/scs/v2"),
			"scs is used; start and end",
		},
		{"scs in the manager", "session/x.go", imports("github.com/alexedwards/scs/v2"), ""},
		{
			"scs around handlers", "session/x.go", code("func f() { m.LoadAndSave(nil) }"),
			"LoadAndSave is used; ask",
		},
		{
			"a part that is given time.Now", "server/x.go", code("var o = struct{ Now any }{Now: time.Now}"),
			"a part is given time.Now",
		},
		{"a default of time.Now", "proxy/x.go", code("func f() { now := time.Now; _ = now() }"), ""},

		{
			"a flight beside resilience", "provider/x.go", imports("golang.org/x/sync/singleflight"),
			"singleflight is used; take a resilience.Flight",
		},
		{"resilience's flight", "resilience/x.go", imports("golang.org/x/sync/singleflight"), ""},
		{
			"pauses of its own", "server/x.go", code("var b = backoff.NewExponentialBackOff()"),
			"a pause is made apart from the table",
		},
		{
			"the library's pauses", "server/x.go",
			code("import \"github.com/cenkalti/backoff/v5\"\nfunc f() { _, _ = backoff.Retry(nil, nil) }"),
			"backoff.Retry has its own pauses",
		},
		{
			"pauses of a row", "server/x.go",
			code("import \"github.com/cenkalti/backoff/v5\"\nfunc f() { _, _ = backoff.Retry(nil, nil, backoff.WithBackOff(nil)) }"),
			"",
		},
		{
			"a pause doubled by hand", "server/x.go",
			code("func f() { for wait := 1; ; wait = min(2*wait, 9) {\n} }"),
			"a pause is doubled by hand",
		},
		{
			"a pause shifted by hand", "server/x.go", code("func f(n int) int { return min(3<<n, 9) }"),
			"a pause is doubled by hand",
		},
		{"the smaller of two", "server/x.go", code("func f(n int) int { return min(3*n, 9) }"), ""},

		{
			"an end that nobody hears of", "session/revocation/x.go",
			code("func f(s store) { s.Records.End() }"),
			"a store's Records are used",
		},
		{
			"an end by the sessions' own package", "session/x.go",
			code("func f(s store) { s.Records.End() }"),
			"",
		},
		{"a store's own records", "session/store/x.go", code("func f(s store) { s.Records.End() }"), ""},

		{"embedded options", "proxy/x.go", code("type t struct{ Options }"), "a struct embeds Options"},
		{
			"another's options", "proxy/x.go", code("type t struct{ *site.Options }"),
			"a struct embeds Options",
		},
		{"options with a name", "proxy/x.go", code("type t struct{ o Options }"), ""},

		{"a vague package", "proxy/x.go", "// Package util is.\npackage util", "package util says nothing"},
		{"a vague folder", "test/helpers/x.go", comment + "package x", "package helpers says nothing"},
		{
			"a vague package of tests", "proxy/x_test.go", "// Package common is.\npackage common_test",
			"package common says nothing",
		},

		{"a file of 300 lines", "proxy/x.go", comment + "package x\n" + strings.Repeat("\n", 298), ""},
		{"a file of 301 lines", "proxy/x.go", comment + "package x\n" + strings.Repeat("\n", 299), "301 lines; split it"},
		{"a test of 301 lines", "proxy/x_test.go", comment + "package x\n" + strings.Repeat("\n", 299), ""},
		{"a function of 60 lines", "proxy/x.go", comment + "package x\nfunc f() {" + strings.Repeat("\n", 59) + "}", ""},
		{"a function of 61 lines", "proxy/x.go", comment + "package x\nfunc f() {" + strings.Repeat("\n", 60) + "}", "f has 61 lines"},
		{"a test function of 61 lines", "proxy/x_test.go", comment + "package x\nfunc f() {" + strings.Repeat("\n", 60) + "}", ""},

		{"a line of 140 columns", "fairqueue/x.go", code("\t// ") + strings.Repeat("é", 133), ""},
		{
			"a line of 141 columns", "fairqueue/x.go", code("\t// ") + strings.Repeat("é", 134),
			"line 3 has 141 columns",
		},
		{
			"a wide line in a test", "fairqueue/x_test.go", code("// ") + strings.Repeat("x", 138),
			"line 3 has 141 columns",
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			s, err := parse(c.path, c.text)
			if err != nil {
				t.Fatal(err)
			}
			found := faults([]source{s})
			if c.want == "" && len(found) > 0 {
				t.Errorf("faults = %q, want none", found)
			}
			if c.want != "" && !slices.ContainsFunc(found, func(f string) bool { return strings.HasPrefix(f, c.path+": "+c.want) }) {
				t.Errorf("faults = %q, want one that begins %q", found, c.want)
			}
			for _, f := range found {
				if !strings.Contains(f, "; ") {
					t.Errorf("fault %q says no remedy", f)
				}
			}
		})
	}
}

// The package comment may be in any file of the package, but not in its tests.
func TestOnePackageCommentIsEnough(t *testing.T) {
	with := func(path, text string) source {
		s, err := parse(path, text)
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	plain, commented := with("proxy/a.go", "package x"), with("proxy/b.go", "// Package x owns.\npackage x")
	test := with("proxy/c_test.go", "// Package x owns.\npackage x")
	for _, c := range []struct {
		sources []source
		want    int
	}{
		{[]source{plain, commented}, 0},
		{[]source{commented, plain}, 0},
		{[]source{plain, test}, 1},
		{[]source{test, plain}, 1},
		{[]source{test}, 0},
	} {
		if got := len(withoutPackageComment(c.sources)); got != c.want {
			t.Errorf("faults of %v = %d, want %d", c.sources, got, c.want)
		}
	}
}
