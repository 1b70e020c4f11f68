package server_test

import (
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/cloakroom/cloakroom/test/providers/odd"
)

// BenchmarkResidentMemory runs the release binary, logs 1,000 people in, calls an API with each, and
// reports what the kernel says the process holds.
func BenchmarkResidentMemory(b *testing.B) {
	dir := b.TempDir()
	binary := filepath.Join(dir, "cloakroom")
	build := exec.CommandContext(b.Context(), "go", "build", "-tags", "nodemo", "-trimpath", "-ldflags", "-s -w", "-o", binary, "../cmd/cloakroom")
	if out, err := build.CombinedOutput(); err != nil {
		b.Fatalf("build: %v\n%s", err, out)
	}
	op := odd.New(b)
	origin, admin := "http://127.0.0.1:"+benchPort(b), "127.0.0.1:"+benchPort(b)
	file := filepath.Join(dir, "cloakroom.yaml")
	text := fmt.Sprintf(`
server: {public_url: %q, listen: %q, admin_listen: %q, drain_delay: 0s}
session: {store: "sqlite:%s/s.db"}
providers: [{id: main, issuer: %q, client_id: %q, client_secret: %q}]
routes: [{path: /api/, upstream: %q}]
`, origin, strings.TrimPrefix(origin, "http://"), admin, dir, op.Issuer(), op.Client.ID, op.Client.Secret, op.Issuer())
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		b.Fatal(err)
	}
	start := time.Now()
	service := exec.CommandContext(b.Context(), binary, "serve", "--config", file)
	if err := service.Start(); err != nil {
		b.Fatal(err)
	}
	defer func() { _ = service.Process.Kill(); _ = service.Wait() }()
	for ready := false; !ready; time.Sleep(2 * time.Millisecond) {
		if res, err := http.Get("http://" + admin + "/readyz"); err == nil {
			ready = res.StatusCode == http.StatusOK
			_ = res.Body.Close()
		}
		if time.Since(start) > 20*time.Second {
			b.Fatal("the service is not ready after 20 s")
		}
	}
	b.ReportMetric(float64(time.Since(start).Milliseconds()), "ms-to-ready")
	for range 1000 {
		cookie := benchLogin(b, op, origin)
		req, err := http.NewRequestWithContext(b.Context(), http.MethodGet, origin+"/api/x", nil)
		if err != nil {
			b.Fatal(err)
		}
		req.Header.Set("X-CSRF", "1")
		req.Header.Set("Cookie", cookie)
		res, err := http.DefaultClient.Do(req)
		if err != nil {
			b.Fatal(err)
		}
		_ = res.Body.Close()
	}
	b.ReportMetric(resident(b, service.Process.Pid), "MiB-resident")
}

// resident is VmRSS of a process, in MiB.
func resident(b *testing.B, pid int) float64 {
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		b.Skip("no /proc here")
	}
	for line := range strings.Lines(string(status)) {
		if kib, ok := strings.CutPrefix(line, "VmRSS:"); ok {
			n, err := strconv.Atoi(strings.TrimSuffix(strings.TrimSpace(kib), " kB"))
			if err != nil {
				b.Fatal(err)
			}
			return float64(n) / 1024
		}
	}
	return 0
}

func benchPort(b *testing.B) string {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	defer l.Close()
	_, port, err := net.SplitHostPort(l.Addr().String())
	if err != nil {
		b.Fatal(err)
	}
	return port
}
