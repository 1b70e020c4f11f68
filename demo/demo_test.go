package demo_test

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/cloakroom/cloakroom/demo"
)

// output can be written and read at the same time.
type output struct {
	mu   sync.Mutex // guards text
	text strings.Builder
}

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.Write(p)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.String()
}

// started runs a demo until the test ends and returns its addresses.
func started(t *testing.T, out io.Writer) demo.Addresses {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	ready, ended := make(chan demo.Addresses, 1), make(chan error, 1)
	go func() {
		ended <- demo.Run(ctx, demo.Options{
			Listen: "127.0.0.1:0", Out: out, Ready: func(a demo.Addresses) { ready <- a },
		})
	}()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("the demo did not stop cleanly: %v", err)
		}
	})
	select {
	case a := <-ready:
		return a
	case err := <-ended:
		ended <- err
		t.Fatalf("the demo did not start: %v", err)
	case <-time.After(20 * time.Second):
		t.Fatal("the demo did not start within 20 s")
	}
	return demo.Addresses{}
}

func fetch(t *testing.T, c *http.Client, target string, header ...string) (*http.Response, string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, target, nil)
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	resp, err := c.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp, string(body)
}

var attemptField = regexp.MustCompile(`name="id" value="([^"]+)"`)

func TestDemoRunsFromLoginToAPICall(t *testing.T) {
	var banner output
	at := started(t, &banner)
	for _, want := range []string{at.App, at.Provider, "alice", "wonderland", "never for production"} {
		if !strings.Contains(banner.String(), want) {
			t.Errorf("the banner does not say %q:\n%s", want, banner.String())
		}
	}
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	browser := &http.Client{Jar: jar}
	resp, body := fetch(t, browser, at.App+"/", "Accept", "text/html")
	if resp.StatusCode != http.StatusOK || !strings.Contains(body, "<html") {
		t.Errorf("the app = %s", resp.Status)
	}
	_, page := fetch(t, browser, at.App+"/bff/login?returnUrl=/",
		"Sec-Fetch-Mode", "navigate", "Sec-Fetch-Dest", "document", "Accept", "text/html")
	field := attemptField.FindStringSubmatch(page)
	if field == nil {
		t.Fatalf("no login form:\n%s", page)
	}
	resp, err = browser.PostForm(at.Provider+"/login",
		url.Values{"id": {field[1]}, "username": {"alice"}, "password": {"wonderland"}})
	if err != nil {
		t.Fatal(err)
	}
	if err := resp.Body.Close(); err != nil || resp.Request.URL.String() != at.App+"/" {
		t.Errorf("the login ended at %s (%s), want the app", resp.Request.URL, resp.Status)
	}
	resp, body = fetch(t, browser, at.App+"/api/whoami", "X-CSRF", "1")
	var seen struct {
		Subject string
		Token   struct{ Fingerprint string }
	}
	if err := json.Unmarshal([]byte(body), &seen); err != nil || seen.Subject == "" || len(seen.Token.Fingerprint) != 8 {
		t.Errorf("the API answered %s: %s", resp.Status, body)
	}
	if resp, _ := fetch(t, browser, at.Admin+"/readyz"); resp.StatusCode != http.StatusOK {
		t.Errorf("readiness = %s, want 200", resp.Status)
	}
}

func TestDemoStaysOnLoopback(t *testing.T) {
	for _, listen := range []string{"0.0.0.0:8080", ":8080", "192.0.2.1:80", "nonsense"} {
		if err := demo.Run(t.Context(), demo.Options{Listen: listen}); err == nil {
			t.Errorf("the demo listened on %q", listen)
		}
	}
}
