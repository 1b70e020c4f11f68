package proxy

import (
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync"
	"testing"

	"github.com/cloakroom/cloakroom/test/servers"
)

// nginx ends an HTTP/2 connection after some requests, with a GOAWAY. No caller notices, and the API behind it
// gets each request once.
func TestNginxMayEndItsHTTP2Connections(t *testing.T) {
	var (
		mu   sync.Mutex // guards seen
		seen = map[string]int{}
	)
	api := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		mu.Lock()
		defer mu.Unlock()
		seen[r.URL.Path]++
		_, _ = fmt.Fprint(w, len(body))
	}))
	defer api.Close()
	address, certificate := nginxOverHTTP2(t, api.URL)
	front := newFront(t, "https://"+address, certificate)

	const callers, each = 20, 40
	var all sync.WaitGroup
	for caller := range callers {
		all.Go(func() {
			for n := range each {
				method, body := "GET", ""
				if n%2 == 0 {
					method, body = "POST", strings.Repeat("x", 2<<10)
				}
				path := fmt.Sprintf("/api/%d-%d", caller, n)
				r, err := http.NewRequestWithContext(t.Context(), method, front.URL+path, strings.NewReader(body))
				if err != nil {
					t.Error(err)
					return
				}
				res, err := http.DefaultClient.Do(r)
				if err != nil {
					t.Error(err)
					return
				}
				answer, _ := io.ReadAll(res.Body)
				_ = res.Body.Close()
				if res.StatusCode != http.StatusOK || string(answer) != fmt.Sprint(len(body)) {
					t.Errorf("%s %s = %d %.200s", method, path, res.StatusCode, answer)
				}
			}
		})
	}
	all.Wait()
	mu.Lock()
	defer mu.Unlock()
	if len(seen) != callers*each {
		t.Errorf("the API has seen %d requests, want %d", len(seen), callers*each)
	}
	for path, n := range seen {
		if n > 1 {
			t.Errorf("the API has seen %s %d times", path, n)
		}
	}
}

func nginxOverHTTP2(t *testing.T, api string) (address string, certificate *x509.Certificate) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	port := l.Addr().(*net.TCPAddr).Port
	_ = l.Close()
	authority := servers.NewAuthority(t)
	cert, key := authority.Certificate("127.0.0.1")
	servers.Nginx(t, port, fmt.Sprintf(`
		access_log off;
		server {
			listen 127.0.0.1:%d ssl http2;
			ssl_certificate %s;
			ssl_certificate_key %s;
			keepalive_requests 50;
			location / { proxy_pass %s; }
		}`, port, cert, key, api))
	text, err := os.ReadFile(authority.File)
	if err != nil {
		t.Fatal(err)
	}
	block, _ := pem.Decode(text)
	if certificate, err = x509.ParseCertificate(block.Bytes); err != nil {
		t.Fatal(err)
	}
	return fmt.Sprintf("127.0.0.1:%d", port), certificate
}
