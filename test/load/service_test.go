package load

import (
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/cloakroom/cloakroom/test/providers/odd"
)

// startService runs the image's binary in front of the API, with its log in a file. It returns how
// long the start took until the service was ready.
func startService(b *testing.B, op *odd.Provider, api string) (_ *exec.Cmd, origin string, ready time.Duration) {
	b.Helper()
	dir := b.TempDir()
	listen, admin := freeAddress(b), freeAddress(b)
	origin = "http://" + listen
	file := filepath.Join(dir, "cloakroom.yaml")
	if err := os.WriteFile(file, fmt.Appendf(nil, `
server: {public_url: %q, listen: %q, admin_listen: %q, drain_delay: 0s}
session: {store: "sqlite:%s/s.db"}
providers: [{id: main, issuer: %q, client_id: %q, client_secret: %q}]
routes: [{path: /api/, upstream: %q}]
`, origin, listen, admin, dir, op.Issuer(), op.Client.ID, op.Client.Secret, api), 0o600); err != nil {
		b.Fatal(err)
	}
	log, err := os.Create(filepath.Join(dir, "log"))
	if err != nil {
		b.Fatal(err)
	}
	service := exec.CommandContext(b.Context(), binary, "serve", "--config", file)
	service.Stdout, service.Stderr = log, log
	began := time.Now()
	if err := service.Start(); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = service.Process.Kill(); _ = service.Wait(); _ = log.Close() })
	for ready := false; !ready; time.Sleep(2 * time.Millisecond) {
		if res, err := http.Get("http://" + admin + "/readyz"); err == nil {
			ready = res.StatusCode == http.StatusOK
			_ = res.Body.Close()
		}
		if time.Since(began) > time.Minute {
			said, _ := os.ReadFile(log.Name())
			b.Fatalf("the service is not ready after a minute; its log:\n%s", said)
		}
	}
	return service, origin, time.Since(began)
}

func freeAddress(b *testing.B) string {
	b.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// logInMany logs n users in and returns their session cookies.
func logInMany(b *testing.B, op *odd.Provider, origin string, n int) []string {
	b.Helper()
	cookies := make([]string, n)
	for i := range cookies {
		begin := visit(b, origin+"/bff/login", "")
		back := visit(b, op.Login(begin.Header.Get("Location")).String(), cookieOf(begin))
		cookies[i] = cookieOf(back)
	}
	return cookies
}

func visit(b *testing.B, address, cookie string) *http.Response {
	b.Helper()
	req, err := http.NewRequestWithContext(b.Context(), http.MethodGet, address, nil)
	if err != nil {
		b.Fatal(err)
	}
	req.Header.Set("Cookie", cookie)
	res, err := http.DefaultTransport.RoundTrip(req)
	if err != nil {
		b.Fatal(err)
	}
	_ = res.Body.Close()
	if res.StatusCode != http.StatusFound {
		b.Fatalf("GET %s = %s, want a redirect", address, res.Status)
	}
	return res
}

// cookieOf is the cookie that an answer sets last.
func cookieOf(res *http.Response) string {
	all := res.Header["Set-Cookie"]
	c, _, _ := strings.Cut(all[len(all)-1], ";")
	return c
}
