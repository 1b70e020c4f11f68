package site

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
)

// withSPA returns a site with one allowed origin.
func withSPA(t *testing.T) *Site {
	t.Helper()
	s, err := New(Options{
		PublicURL:      &url.URL{Scheme: "https", Host: "app.example.com"},
		AllowedOrigins: []string{"https://spa.example.com"},
	})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// requestWith returns a request with the header lines, which | separates.
func requestWith(method, lines string) *http.Request {
	r := &http.Request{Method: method, Header: http.Header{}}
	for line := range strings.SplitSeq(lines, "|") {
		if name, value, ok := strings.Cut(line, ": "); ok {
			r.Header.Add(name, value)
		}
	}
	return r
}

// CS2, CS3: a request that the browser marks as one of another origin is foreign, and so is one
// with an unknown mark.
func TestMarksOfABrowserAreJudgedInOnePlace(t *testing.T) {
	s := withSPA(t)
	for marks, want := range map[string]verdict{
		"":                            unmarked,
		"Sec-Fetch-Site: same-origin": own,
		"Sec-Fetch-Site: same-origin|Sec-Fetch-Mode: no-cors":        own,
		"Sec-Fetch-Site: same-origin|Referer: https://evil.example/": own, // which no browser sends
		"Sec-Fetch-Site: none":                                        typed,
		"Sec-Fetch-Site: none|Sec-Fetch-Mode: no-cors":                foreign,
		"Sec-Fetch-Site: same-site":                                   foreign,
		"Sec-Fetch-Site: cross-site":                                  foreign,
		"Sec-Fetch-Site: bogus":                                       foreign,
		"Sec-Fetch-Site: Same-Origin":                                 foreign,
		"Sec-Fetch-Site: same-origin|Sec-Fetch-Site: cross-site":      foreign,
		"Sec-Fetch-Site: same-origin, cross-site":                     foreign,
		"Sec-Fetch-Mode: bogus":                                       foreign,
		"Sec-Fetch-Mode: Navigate":                                    foreign,
		"Sec-Fetch-Site: none|Sec-Fetch-Mode: bogus":                  foreign,
		"Sec-Fetch-Mode: no-cors":                                     foreign,
		"Sec-Fetch-Mode: no-cors|Referer: https://app.example.com/":   foreign,
		"Origin: https://app.example.com":                             own,
		"Origin: https://app.example.com|Sec-Fetch-Site: same-origin": own,
		"Origin: https://app.example.com|Sec-Fetch-Site: cross-site":  foreign,
		"Origin: http://app.example.com":                              foreign,
		"Origin: https://app.example.com:444":                         foreign,
		"Origin: https://app.example.com.evil.example":                foreign,
		"Origin: null": foreign,
		"Origin: null|Sec-Fetch-Site: same-origin":                         foreign,
		"Origin: https://app.example.com|Origin: https://evil.example":     foreign,
		"Origin: https://spa.example.com|Sec-Fetch-Site: same-site":        own,
		"Origin: https://spa.example.com":                                  own,
		"Referer: https://app.example.com/page?q":                          own,
		"Referer: https://app.example.com":                                 own,
		"Referer: https://spa.example.com/":                                own,
		"Referer: https://sibling.example.com/":                            referred,
		"Referer: https://app.example.com.evil.example/":                   referred,
		"Referer: https://app.example.com@evil.example/":                   referred,
		"Referer: http://app.example.com/":                                 referred,
		"Referer: /page":                                                   referred,
		"Referer: https://app.example.com/|Referer: https://evil.example/": foreign,
		"Referer: https://evil.example/|Origin: https://app.example.com":   own,
	} {
		for _, method := range []string{http.MethodGet, http.MethodHead, http.MethodPost, http.MethodDelete} {
			r := requestWith(method, marks)
			want := want
			if strings.HasPrefix(marks, "Referer") && !strings.Contains(marks, "Origin") && !reads(r) {
				want = unmarked // Referer counts only for GET and HEAD
			}
			if got := s.judge(r, s.o.AllowedOrigins); got != want {
				t.Errorf("%s with %q = %d, want %d", method, marks, got, want)
			}
		}
	}
}

// guards are all guards, and two that do not exist.
var guards = []struct {
	name  string
	guard Guard
}{
	{"fetch", ForFetch},
	{"stream", ForStream},
	{"form", ForForm},
	{"frame", ForFrame},
	{"subrequest", ForSubrequest},
	{"header", ForHeader},
	{"metadata", ForFetchMetadata},
	{"handshake", ForHandshake},
	{"unknown", ForHandshake + 1},
	{"zero", 0},
}

// Each request is admitted by the guards listed with it.
func TestGuardsAdmitWhatTheyAreFor(t *testing.T) {
	s := withSPA(t)
	for _, c := range []struct{ method, marks, admitted string }{
		{"GET", "", "stream form frame subrequest metadata"},
		{"POST", "", "stream form frame subrequest"},
		{"GET", "X-CSRF: 1", "fetch stream form frame subrequest header metadata"},
		{"POST", "X-CSRF: 1", "fetch stream form frame subrequest header metadata"},
		{"POST", "X-CSRF: true", "stream form frame subrequest"},
		{"GET", "Sec-Fetch-Site: same-origin", "stream form frame subrequest metadata"},
		{"POST", "Sec-Fetch-Site: same-origin", "stream form frame subrequest metadata"},
		{"POST", "Sec-Fetch-Site: same-origin|X-CSRF: 1", "fetch stream form frame subrequest header metadata"},
		{"GET", "Sec-Fetch-Site: same-origin|Sec-Fetch-Mode: no-cors", "form frame subrequest metadata"},
		{"POST", "Sec-Fetch-Site: same-origin|Sec-Fetch-Mode: no-cors|X-CSRF: 1", "form frame subrequest header metadata"},
		{"GET", "Sec-Fetch-Site: none", "stream subrequest metadata"},
		{"POST", "Sec-Fetch-Site: none", "stream subrequest"},
		{"POST", "Sec-Fetch-Site: none|X-CSRF: 1", "fetch stream subrequest header metadata"},
		{"GET", "Referer: https://app.example.com/x", "stream form frame subrequest metadata"},
		{"GET", "Referer: https://evil.example/", "frame"},
		{"GET", "Referer: https://evil.example/|X-CSRF: 1", "fetch frame header metadata"},
		{"GET", "Referer: https://spa.example.com/", "stream frame subrequest metadata"},
		{"POST", "Origin: https://app.example.com", "stream form frame subrequest metadata handshake"},
		{"POST", "Origin: https://spa.example.com", "stream subrequest metadata"},
		{"POST", "Origin: https://spa.example.com|Sec-Fetch-Site: same-site|X-CSRF: 1", "fetch stream subrequest header metadata"},
		{"GET", "Origin: https://app.example.com|Sec-Fetch-Site: cross-site", "handshake"},
		{"GET", "Origin: https://app.example.com|Origin: https://evil.example", ""},
		{"GET", "Origin: null|X-CSRF: 1", ""},
		{"GET", "Origin: https://evil.example|X-CSRF: 1", ""},
	} {
		var admitted []string
		for _, g := range guards {
			if s.Admits(requestWith(c.method, c.marks), g.guard) {
				admitted = append(admitted, g.name)
			}
		}
		if got := strings.Join(admitted, " "); got != c.admitted {
			t.Errorf("%s with %q is admitted by %q, want %q", c.method, c.marks, got, c.admitted)
		}
	}
}

// CS2: every guard refuses unknown values.
func TestUnknownWordsAreAdmittedNowhere(t *testing.T) {
	s := withSPA(t)
	for _, marks := range []string{
		"Sec-Fetch-Site: bogus", "Sec-Fetch-Site: cross-site", "Sec-Fetch-Site: same-site", "Sec-Fetch-Site: Same-Origin",
		"Sec-Fetch-Site: same-origin|Sec-Fetch-Site: same-origin", "Sec-Fetch-Mode: bogus", "Sec-Fetch-Mode: no-cors", "Origin: bogus",
	} {
		for _, g := range guards {
			for _, method := range []string{"GET", "HEAD", "POST", "BOGUS"} {
				if s.Admits(requestWith(method, marks+"|X-CSRF: 1"), g.guard) {
					t.Errorf("%s with %q is admitted as %s", method, marks, g.name)
				}
			}
		}
	}
}

func TestOriginsThatMayReadAnswers(t *testing.T) {
	s := withSPA(t)
	for lines, want := range map[string]string{
		"": "", "Origin: https://spa.example.com": "https://spa.example.com", "Origin: https://SPA.example.com": "",
		"Origin: https://app.example.com": "", "Origin: https://spa.example.com|Origin: https://spa.example.com": "",
	} {
		if got, ok := s.AllowedOrigin(requestWith("GET", lines)); got != want || ok != (want != "") {
			t.Errorf("%q: %q, %v; want %q", lines, got, ok, want)
		}
	}
}
