package server_test

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/cloakroom/cloakroom/config"
	"github.com/cloakroom/cloakroom/server"
	"github.com/cloakroom/cloakroom/test/providers/odd"
)

// cpu is the CPU time that this process has used.
func cpu(b *testing.B) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// BenchmarkProxiedRequest compares the CPU time of an authenticated request through the whole server
// with one through a bare, equally tuned httputil.ReverseProxy, in turns within one run. Client and
// API are in the process too and weigh on both, so the difference is what counts.
func BenchmarkProxiedRequest(b *testing.B) {
	api := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, `{"ok":true}`) }))
	defer api.Close()
	target, err := url.Parse(api.URL)
	if err != nil {
		b.Fatal(err)
	}
	bare := httptest.NewServer(&httputil.ReverseProxy{
		Rewrite:   func(r *httputil.ProxyRequest) { r.SetURL(target); r.SetXForwarded() },
		Transport: &http.Transport{MaxIdleConnsPerHost: 512, DisableCompression: true},
	})
	defer bare.Close()
	origin, cookie := benchServer(b, api.URL)
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 64}}
	get := func(target, cookie string) {
		req, err := http.NewRequestWithContext(b.Context(), http.MethodGet, target, nil)
		if err != nil {
			b.Fatal(err)
		}
		req.Header.Set("X-CSRF", "1")
		req.Header.Set("Cookie", cookie)
		res, err := client.Do(req)
		if err != nil {
			b.Fatal(err)
		}
		if _, err := io.Copy(io.Discard, res.Body); err != nil || res.StatusCode != http.StatusOK {
			b.Fatalf("%s = %d, %v", target, res.StatusCode, err)
		}
		_ = res.Body.Close()
	}
	var direct, plain, ours time.Duration
	const turn = 200
	for b.Loop() {
		for _, c := range []struct {
			target string
			spent  *time.Duration
		}{{api.URL + "/x", &direct}, {bare.URL + "/x", &plain}, {origin + "/api/x", &ours}} {
			start := cpu(b)
			for range turn {
				get(c.target, cookie)
			}
			*c.spent += cpu(b) - start
		}
	}
	per := func(d time.Duration) float64 { return float64(d.Microseconds()) / float64(b.N*turn) }
	b.ReportMetric(per(plain-direct), "µs-bare/req")
	b.ReportMetric(per(ours-direct), "µs-cloakroom/req")
	b.ReportMetric(float64(ours-direct)/float64(plain-direct), "×bare")
}

// benchServer runs a server in front of the API and returns its origin and a logged-in cookie.
func benchServer(b *testing.B, api string) (origin, cookie string) {
	op := odd.New(b)
	op.SetTokenLife(time.Hour)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	listen := l.Addr().String()
	_ = l.Close()
	origin = "http://" + listen
	key := make([]byte, 32)
	rand.Read(key)
	cfg, err := config.Parse("bench.yaml", fmt.Appendf(nil, `
server: {public_url: %q, listen: %q, admin_listen: "127.0.0.1:0", drain_delay: 0s}
session: {store: %q, keys: [%q]}
providers: [{id: main, issuer: %q, client_id: %q, client_secret: %q}]
routes: [{path: /api/, upstream: %q}]
`, origin, listen, "sqlite:"+b.TempDir()+"/s.db", base64.StdEncoding.EncodeToString(key), op.Issuer(), op.Client.ID, op.Client.Secret, api), os.LookupEnv)
	if err != nil {
		b.Fatal(err)
	}
	start := time.Now()
	s, err := server.New(b.Context(), cfg, server.Options{Logger: slog.New(slog.NewJSONHandler(io.Discard, nil))})
	if err != nil {
		b.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx) }()
	b.Cleanup(func() { cancel(); <-done })
	for ready := false; !ready; time.Sleep(time.Millisecond) {
		if res, err := http.Get("http://" + s.AdminAddr().String() + "/readyz"); err == nil {
			ready = res.StatusCode == http.StatusOK
			_ = res.Body.Close()
		}
	}
	b.Logf("start to ready: %s", time.Since(start).Round(time.Millisecond))
	return origin, benchLogin(b, op, origin)
}

// benchLogin logs in and returns the Cookie header of the session.
func benchLogin(b *testing.B, op *odd.Provider, origin string) string {
	client := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	begin, err := client.Get(origin + "/bff/login")
	if err != nil {
		b.Fatal(err)
	}
	_ = begin.Body.Close()
	req, err := http.NewRequestWithContext(b.Context(), http.MethodGet, op.Login(begin.Header.Get("Location")).String(), nil)
	if err != nil {
		b.Fatal(err)
	}
	req.Header.Set("Cookie", pair(begin))
	back, err := client.Do(req)
	if err != nil {
		b.Fatal(err)
	}
	_ = back.Body.Close()
	return pair(back)
}

// pair is the cookie that an answer sets last.
func pair(r *http.Response) string {
	all := r.Header["Set-Cookie"]
	c, _, _ := strings.Cut(all[len(all)-1], ";")
	return c
}
