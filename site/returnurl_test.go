package site_test

import (
	"bufio"
	"net/url"
	"os"
	"strconv"
	"strings"
	"testing"

	"github.com/cloakroom/cloakroom/site"
	"github.com/cloakroom/cloakroom/site/sitetest"
)

const testBase = "/bff"

func testSite(t testing.TB) *site.Site {
	return sitetest.New(t, appOrigin, site.Options{BasePath: testBase})
}

// LS11, LS12, LS13: the corpus has the wanted result for each return URL.
func TestReturnURLs(t *testing.T) {
	cases := returnURLs(t)
	if len(cases) < 400 {
		t.Errorf("the corpus has %d lines, want 400 and more", len(cases))
	}
	for _, c := range cases {
		got, ok := testSite(t).ReturnURL(c.given)
		if ok != (c.want != "") || ok && got != c.want {
			t.Errorf("line %d: ReturnURL(%q) = %q, %v; want %q", c.line, c.given, got, ok, c.want)
		}
		checkReturnURL(t, c.given)
	}
}

// LS10: a URL that does not fit into a cookie, before or after encoding, is refused.
func TestOverlongReturnURLIsRefused(t *testing.T) {
	app := testSite(t)
	if _, ok := app.ReturnURL("/" + strings.Repeat("a", site.MaxReturnURL-1)); !ok {
		t.Error("the longest one is refused")
	}
	for _, s := range []string{
		"/" + strings.Repeat("a", site.MaxReturnURL),
		"/" + strings.Repeat("é", site.MaxReturnURL/4),
		"/" + strings.Repeat("/", 1<<20),
	} {
		if _, ok := app.ReturnURL(s); ok {
			t.Errorf("%d bytes are accepted", len(s))
		}
	}
}

func TestReturnURLKnowsOtherBasePaths(t *testing.T) {
	for given, base := range map[string]string{"/auth/x/logout": "/auth/x", "/AUTH/x": "/auth/x"} {
		if _, ok := sitetest.New(t, appOrigin, site.Options{BasePath: base}).ReturnURL(given); ok {
			t.Errorf("%q is accepted with base path %q", given, base)
		}
	}
	if _, ok := sitetest.New(t, appOrigin, site.Options{BasePath: "/auth"}).ReturnURL("/bff/login"); !ok {
		t.Error("/bff/login is refused with base path /auth")
	}
}

// FuzzReturnURL: an accepted URL leads a browser to this origin, and to none of our endpoints but
// the page of the user's sessions.
func FuzzReturnURL(f *testing.F) {
	for _, c := range returnURLs(f) {
		f.Add(c.given)
	}
	f.Fuzz(func(t *testing.T, s string) { checkReturnURL(t, s) })
}

func checkReturnURL(t *testing.T, s string) {
	t.Helper()
	app := testSite(t)
	out, ok := app.ReturnURL(s)
	if !ok {
		if out != "" {
			t.Errorf("%q is refused and %q returned all the same", s, out)
		}
		return
	}
	if again, ok := app.ReturnURL(out); !ok || again != out {
		t.Errorf("%q was judged, but %q is sent, which is judged %q, %v", s, out, again, ok)
	}
	if strings.ContainsFunc(out, func(r rune) bool { return r <= ' ' || r > '~' }) {
		t.Errorf("%q: Location %q holds more than visible ASCII", s, out)
	}
	origin, path := asBrowser(out)
	if origin != appOrigin || strings.HasPrefix(path, "//") {
		t.Errorf("%q leads a browser to %s%s", s, origin, path)
	}
	if out == testBase+"/sessions" {
		return
	}
	for p := path; ; {
		if low := strings.ToLower(p); low == testBase || strings.HasPrefix(low, testBase+"/") {
			t.Errorf("%q leads to our own endpoint %s", s, p)
		}
		decoded, err := url.PathUnescape(p)
		if err != nil || decoded == p {
			break
		}
		p = decoded
	}
	if plain := (&url.URL{Path: s}); s != "" && plain.EscapedPath() == s && out != s {
		t.Errorf("%q needed no encoding and became %q", s, out)
	}
}

const appOrigin = "https://app.example.com"

// asBrowser reads a Location header in an answer of appOrigin as the WHATWG URL parser does,
// written from the standard and independently of the code under test: §4.4, states "no scheme",
// "relative", "relative slash", "special authority ignore slashes", "path".
func asBrowser(location string) (origin, path string) {
	s := strings.TrimFunc(location, func(r rune) bool { return r <= ' ' })
	s = strings.NewReplacer("\t", "", "\n", "", "\r", "").Replace(s)
	if i := strings.IndexByte(s, ':'); i > 0 && isScheme(s[:i]) {
		return s[:i] + ":", s[i+1:]
	}
	s, _, _ = strings.Cut(s, "#")
	s, _, _ = strings.Cut(s, "?")
	s = strings.ReplaceAll(s, `\`, "/")
	if strings.HasPrefix(s, "//") {
		authority, rest, _ := strings.Cut(strings.TrimLeft(s, "/"), "/")
		return "https://" + authority[strings.LastIndexByte(authority, '@')+1:], "/" + rest
	}
	base := []string{"bff", "callback"} // of https://app.example.com/bff/callback/main, the file taken off
	if strings.HasPrefix(s, "/") {
		base, s = nil, s[1:]
	}
	return appOrigin, "/" + strings.Join(walk(base, strings.Split(s, "/")), "/")
}

// walk is the path state: dot segments count in every spelling.
func walk(at, segments []string) []string {
	for i, segment := range segments {
		last := i == len(segments)-1
		switch strings.ReplaceAll(strings.ToLower(segment), "%2e", ".") {
		case "..":
			at = at[:max(len(at)-1, 0)]
			if last {
				at = append(at, "")
			}
		case ".":
			if last {
				at = append(at, "")
			}
		default:
			at = append(at, segment)
		}
	}
	return at
}

func isScheme(s string) bool {
	if c := s[0] | 0x20; c < 'a' || c > 'z' {
		return false
	}
	return !strings.ContainsFunc(s, func(r rune) bool {
		return (r|0x20 < 'a' || r|0x20 > 'z') && (r < '0' || r > '9') && r != '+' && r != '-' && r != '.'
	})
}

func TestBrowserOfTheTestsKnowsTheTricks(t *testing.T) {
	for location, want := range map[string]string{
		"//e.test/x": "https://e.test", `/\e.test`: "https://e.test", "/\t/e.test": "https://e.test", "///a@e.test": "https://e.test",
		" https://e.test": "https:", "java\nscript:x": "javascript:", "/a": appOrigin, "a": appOrigin,
	} {
		if got, _ := asBrowser(location); got != want {
			t.Errorf("asBrowser(%q) = %q, want %q", location, got, want)
		}
	}
	if _, path := asBrowser("/.//e.test"); path != "//e.test" {
		t.Errorf("the path of /.//e.test = %q, want //e.test", path)
	}
}

type returnURLCase struct {
	line        int
	given, want string // want "": refused
}

func returnURLs(t testing.TB) []returnURLCase {
	t.Helper()
	f, err := os.Open("testdata/returnurls.txt")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = f.Close() }() // only read
	var cases []returnURLCase
	lines := bufio.NewScanner(f)
	for n := 1; lines.Scan(); n++ {
		verdict, rest, _ := strings.Cut(lines.Text(), " ")
		if verdict == "" || verdict == "#" {
			continue
		}
		given, rest := unquoted(t, n, rest)
		c := returnURLCase{line: n, given: given}
		switch verdict {
		case "keep":
			c.want = given
		case "send":
			c.want, _ = unquoted(t, n, rest)
		}
		cases = append(cases, c)
	}
	if err := lines.Err(); err != nil {
		t.Fatal(err)
	}
	return cases
}

func unquoted(t testing.TB, line int, s string) (value, rest string) {
	t.Helper()
	quoted, err := strconv.QuotedPrefix(strings.TrimLeft(s, " "))
	if err == nil {
		value, err = strconv.Unquote(quoted)
	}
	if err != nil {
		t.Fatalf("line %d: %v", line, err)
	}
	return value, strings.TrimLeft(s, " ")[len(quoted):]
}
