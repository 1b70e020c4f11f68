package providers

import (
	"io"
	"maps"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"strings"
	"testing"
)

// maxRedirects is how many redirects a navigation follows, as in browsers.
const maxRedirects = 20

// A Browser is one person's browser: cookies, navigations that follow redirects, forms. It does not
// run scripts, and does not enforce SameSite.
type Browser struct {
	t      testing.TB
	client *http.Client
	Jar    http.CookieJar
}

// NewBrowser returns a browser without cookies.
func NewBrowser(t testing.TB) *Browser {
	t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	return &Browser{t: t, Jar: jar, client: &http.Client{
		Jar:           jar,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
}

// An Answer is a response with its body read.
type Answer struct {
	URL    *url.URL // where a navigation ended
	Status int
	Header http.Header
	Body   string
	Forms  []Form   // of an HTML page
	Path   []string // every URL that a navigation went through, the last included
}

// Visit loads a page as if its URL had been typed.
func (b *Browser) Visit(target string) *Answer {
	b.t.Helper()
	return b.navigate(http.MethodGet, b.parse(target), nil, "none")
}

// Submit sends a form of a page, with some of its fields filled in.
func (b *Browser) Submit(page *Answer, f Form, fill url.Values) *Answer {
	b.t.Helper()
	fields := url.Values{}
	for _, from := range []url.Values{f.Fields, fill} {
		maps.Copy(fields, from)
	}
	target := page.URL.ResolveReference(b.parse(f.Action))
	site := relation(page.URL, target)
	if strings.EqualFold(f.Method, http.MethodPost) {
		return b.navigate(http.MethodPost, target, fields, site)
	}
	target.RawQuery = fields.Encode()
	return b.navigate(http.MethodGet, target, nil, site)
}

// navigate follows redirects. As in Fetch Metadata, the site relation can only become more distant
// on the way.
func (b *Browser) navigate(method string, target *url.URL, form url.Values, site string) *Answer {
	b.t.Helper()
	var path []string
	for range maxRedirects {
		path = append(path, target.String())
		req := b.request(method, target, form)
		req.Header.Set("Accept", "text/html,application/xhtml+xml,*/*;q=0.8")
		req.Header.Set("Sec-Fetch-Mode", "navigate")
		req.Header.Set("Sec-Fetch-Dest", "document")
		req.Header.Set("Sec-Fetch-Site", site)
		a := b.send(req)
		location := a.Header.Get("Location")
		if a.Status < 300 || a.Status > 399 || location == "" {
			a.Path = path
			return a
		}
		next := target.ResolveReference(b.parse(location))
		if site != "none" && relation(target, next) == "cross-site" {
			site = "cross-site"
		}
		if a.Status != http.StatusTemporaryRedirect && a.Status != http.StatusPermanentRedirect {
			method, form = http.MethodGet, nil
		}
		target = next
	}
	b.t.Fatalf("more than %d redirects: %v", maxRedirects, path)
	return nil
}

// Fetch calls an endpoint as a page of the same origin does, with X-CSRF.
func (b *Browser) Fetch(method, target, body string) *Answer {
	b.t.Helper()
	u := b.parse(target)
	req := b.request(method, u, nil)
	if body != "" {
		req.Body = io.NopCloser(strings.NewReader(body))
		req.ContentLength = int64(len(body))
		req.Header.Set("Content-Type", "application/json")
	}
	req.Header.Set("Accept", "application/json")
	req.Header.Set("X-CSRF", "1")
	req.Header.Set("Sec-Fetch-Mode", "cors")
	req.Header.Set("Sec-Fetch-Dest", "empty")
	req.Header.Set("Sec-Fetch-Site", "same-origin")
	if method != http.MethodGet && method != http.MethodHead {
		req.Header.Set("Origin", u.Scheme+"://"+u.Host)
	}
	return b.send(req)
}

func (b *Browser) request(method string, target *url.URL, form url.Values) *http.Request {
	b.t.Helper()
	var body io.Reader
	if form != nil {
		body = strings.NewReader(form.Encode())
	}
	req, err := http.NewRequestWithContext(b.t.Context(), method, target.String(), body)
	if err != nil {
		b.t.Fatal(err)
	}
	req.Header.Set("User-Agent", "Mozilla/5.0 (cloakroom test)")
	if form != nil {
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	return req
}

func (b *Browser) send(req *http.Request) *Answer {
	b.t.Helper()
	resp, err := b.client.Do(req)
	if err != nil {
		b.t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }() // read to its end
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		b.t.Fatal(err)
	}
	a := &Answer{URL: req.URL, Status: resp.StatusCode, Header: resp.Header, Body: string(body)}
	if strings.HasPrefix(resp.Header.Get("Content-Type"), "text/html") {
		a.Forms = forms(b.t, a.Body)
	}
	return a
}

func (b *Browser) parse(target string) *url.URL {
	b.t.Helper()
	u, err := url.Parse(target)
	if err != nil {
		b.t.Fatal(err)
	}
	return u
}

// relation is Sec-Fetch-Site for the hosts of these tests: an IP address and localhost are
// different sites, and ports do not matter.
func relation(from, to *url.URL) string {
	switch {
	case from.Scheme == to.Scheme && from.Host == to.Host:
		return "same-origin"
	case from.Hostname() == to.Hostname():
		return "same-site"
	}
	return "cross-site"
}
