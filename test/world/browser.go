package world

import (
	"io"
	"log/slog"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"strings"
	"testing"
	"time"
)

// A Browser keeps cookies. It does not follow redirects.
type Browser struct {
	T      *testing.T
	World  *World
	Client *http.Client
}

// Browser returns a new browser, without cookies.
func (g *World) Browser() *Browser {
	jar, err := cookiejar.New(nil)
	if err != nil {
		g.T.Fatal(err)
	}
	return &Browser{g.T, g, &http.Client{
		Jar: jar, Timeout: time.Minute,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
}

// A Reply is a response with its body read.
type Reply struct {
	*http.Response
	Text string
}

// Do sends a request; headers alternate between name and value. It sends X-CSRF: 1 unless another
// value is given; "" means none.
func (b *Browser) Do(method, path string, body io.Reader, header ...string) *Reply {
	b.T.Helper()
	target := path
	if strings.HasPrefix(path, "/") {
		target = b.World.Origin + path
	}
	req, err := http.NewRequestWithContext(b.T.Context(), method, target, body)
	if err != nil {
		b.T.Fatal(err)
	}
	req.Header.Set("X-CSRF", "1")
	for i := 0; i < len(header); i += 2 {
		if header[i+1] == "" {
			req.Header.Del(header[i])
			continue
		}
		req.Header.Set(header[i], header[i+1])
	}
	return b.Send(req)
}

// Send sends a request and reads the whole answer.
func (b *Browser) Send(req *http.Request) *Reply {
	b.T.Helper()
	res, err := b.Client.Do(req)
	if err != nil {
		b.T.Fatalf("%s %s: %v", req.Method, req.URL.Path, err)
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		b.T.Fatalf("%s %s: read the answer: %v", req.Method, req.URL.Path, err)
	}
	return &Reply{res, string(text)}
}

// Get is Do with GET.
func (b *Browser) Get(path string, header ...string) *Reply {
	b.T.Helper()
	return b.Do(http.MethodGet, path, nil, header...)
}

// Navigate loads a page with the headers of a navigation by the user.
func (b *Browser) Navigate(path string) *Reply {
	b.T.Helper()
	return b.Get(path, "X-CSRF", "", "Accept", "text/html",
		"Sec-Fetch-Mode", "navigate", "Sec-Fetch-Dest", "document", "Sec-Fetch-Site", "same-origin")
}

// Login makes a whole login and returns the callback's answer.
func (b *Browser) Login() *Reply {
	b.T.Helper()
	begin := b.Navigate("/bff/login?returnUrl=/after")
	if begin.StatusCode != http.StatusFound {
		b.T.Fatalf("login = %d: %s", begin.StatusCode, begin.Text)
	}
	back := b.World.OP.Login(begin.Header.Get("Location"))
	answer := b.Navigate(back.RequestURI())
	if answer.StatusCode != http.StatusFound || answer.Header.Get("Location") != "/after" {
		b.T.Fatalf("callback = %d to %q: %s", answer.StatusCode, answer.Header.Get("Location"), answer.Text)
	}
	return answer
}

// Cookie returns the session cookie that the browser has; "" if none.
func (b *Browser) Cookie() string {
	u, err := url.Parse(b.World.Origin)
	if err != nil {
		b.T.Fatal(err)
	}
	for _, c := range b.Client.Jar.Cookies(u) {
		if c.Name == "cloakroom" {
			return c.Value
		}
	}
	return ""
}

// Want fails the test unless the answer has this status and, if code is not "", this code.
func (r *Reply) Want(t *testing.T, status int, code string) {
	t.Helper()
	if r.StatusCode != status || code != "" && !strings.Contains(r.Text, `"code":"`+code+`"`) {
		t.Errorf("%s %s = %d %s, want %d %s", r.Request.Method, r.Request.URL.Path, r.StatusCode, r.Text, status, code)
	}
}

// patience is how long asynchronous work may take on a busy machine.
const patience = time.Minute

// Eventually waits for asynchronous work, and fails the test if it is not done in time.
func Eventually(t *testing.T, what string, holds func() bool) {
	t.Helper()
	for deadline := time.Now().Add(patience); !holds(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("waited %v for %s", patience, what)
		}
	}
}

// Quiet returns a logger that discards everything.
func Quiet() *slog.Logger { return slog.New(slog.DiscardHandler) }
