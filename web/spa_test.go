package web_test

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/cloakroom/cloakroom/problem"
	"github.com/cloakroom/cloakroom/web"
)

func serve(t *testing.T, dir string) *httptest.Server {
	t.Helper()
	spa, err := web.NewSPA(web.Options{Dir: dir, Fail: func(w http.ResponseWriter, _ *http.Request, err error) {
		http.Error(w, fmt.Sprint(err), problem.From(err).Status)
	}})
	if err != nil {
		t.Fatal(err)
	}
	s := httptest.NewServer(spa)
	t.Cleanup(s.Close)
	return s
}

func get(t *testing.T, s *httptest.Server, method, path string, header ...string) (*http.Response, string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, s.URL, nil)
	if err != nil {
		t.Fatal(err)
	}
	req.URL.Opaque = path // byte for byte
	for i := 0; i < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	res, err := http.DefaultTransport.RoundTrip(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return res, string(body)
}

func app(t *testing.T) string {
	t.Helper()
	outer := t.TempDir()
	dir := filepath.Join(outer, "dist")
	for name, content := range map[string]string{
		"../secret.txt":                "outside",
		"index.html":                   "<!doctype html>app",
		"assets/index-BxYz12ab.js":     "1",
		"assets/plain.js":              "2",
		"assets/index-BxYz12ab.js.map": "map",
		".env":                         "hidden",
		".git/config":                  "hidden",
		"docs/page.html":               "page",
	} {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o750); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Symlink(filepath.Join(outer, "secret.txt"), filepath.Join(dir, "link.txt")); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(outer, filepath.Join(dir, "up")); err != nil {
		t.Fatal(err)
	}
	return dir
}

// BR6, PR4: there is no way out of the folder, and what is hidden stays hidden.
func TestNoWayOutOfTheFolder(t *testing.T) {
	s := serve(t, app(t))
	for _, path := range []string{
		"/../secret.txt", "/..%2fsecret.txt", "/%2e%2e/secret.txt", "/assets/../../secret.txt",
		"/..%5csecret.txt", "/link.txt", "/up/secret.txt", "/.env", "/.git/config", "/assets/%2e./.env",
		"/.well-known/x", "/assets/index-BxYz12ab.js.map", "/secret.txt%00.js", "/C:/x.txt",
		"/assets/", "/assets", "/missing.js", "/index.html;.css",
	} {
		res, body := get(t, s, http.MethodGet, path)
		if res.StatusCode < 400 || strings.Contains(body, "outside") || strings.Contains(body, "hidden") {
			t.Errorf("%s = %d %q", path, res.StatusCode, body)
		}
	}
	if res, _ := get(t, s, http.MethodPost, "/"); res.StatusCode != http.StatusMethodNotAllowed {
		t.Errorf("POST = %d", res.StatusCode)
	}
}

func TestOnlyNavigationsToMissingFilesGetTheApp(t *testing.T) {
	s := serve(t, app(t))
	for path, want := range map[string]int{
		"/": 200, "/orders/7": 200, "/docs/page.html": 200, "/assets/missing.js": 404, "/orders.json": 404,
	} {
		if res, _ := get(t, s, http.MethodGet, path, "Accept", "text/html,*/*"); res.StatusCode != want {
			t.Errorf("%s = %d, want %d", path, res.StatusCode, want)
		}
	}
	if res, _ := get(t, s, http.MethodGet, "/orders/7", "Accept", "application/json"); res.StatusCode != http.StatusNotFound {
		t.Errorf("a fetch of no file = %d, want 404", res.StatusCode)
	}
}

// BR4, BR6: each kind of file is cached as it can be, and revalidated by its content.
func TestCachingFollowsTheName(t *testing.T) {
	dir := app(t)
	s := serve(t, dir)
	for path, want := range map[string]string{
		"/": "no-cache", "/assets/index-BxYz12ab.js": "public, max-age=31536000, immutable", "/assets/plain.js": "no-cache",
	} {
		res, _ := get(t, s, http.MethodGet, path, "Accept", "text/html")
		if cc := res.Header.Get("Cache-Control"); cc != want {
			t.Errorf("%s: Cache-Control = %q, want %q", path, cc, want)
		}
		if res.Header.Get("X-Content-Type-Options") != "nosniff" || !strings.Contains(res.Header.Get("Content-Type"), "charset=utf-8") {
			t.Errorf("%s: headers = %v", path, res.Header)
		}
		etag := res.Header.Get("Etag")
		again, body := get(t, s, http.MethodGet, path, "Accept", "text/html", "If-None-Match", etag)
		if again.StatusCode != http.StatusNotModified || body != "" {
			t.Errorf("%s again = %d", path, again.StatusCode)
		}
	}
	page, _ := get(t, s, http.MethodHead, "/")
	if csp := page.Header.Get("Content-Security-Policy"); !strings.Contains(csp, "frame-ancestors 'none'") || page.ContentLength != 18 {
		t.Errorf("HEAD of the page: %q, %d bytes", csp, page.ContentLength)
	}
	etag := page.Header.Get("Etag")
	if err := os.WriteFile(filepath.Join(dir, "index.html"), []byte("<!doctype html>new version"), 0o600); err != nil {
		t.Fatal(err)
	}
	res, body := get(t, s, http.MethodGet, "/", "Accept", "text/html", "If-None-Match", etag)
	if res.StatusCode != http.StatusOK || !strings.Contains(body, "new version") {
		t.Errorf("after a deployment = %d %q", res.StatusCode, body)
	}
}

func TestAMissingFolderStopsTheStart(t *testing.T) {
	_, err := web.NewSPA(web.Options{Dir: filepath.Join(t.TempDir(), "nowhere")})
	if err == nil || !strings.Contains(err.Error(), "spa.dir") {
		t.Errorf("error = %v, want one that names spa.dir", err)
	}
}
