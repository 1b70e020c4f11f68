package vanish

import (
	"crypto/tls"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/cloakroom/cloakroom/outbound"
	"github.com/cloakroom/cloakroom/test/servers"
)

// limit is how long a call on a dead connection may take: the time to detect it, and a margin for a
// busy machine.
const limit = outbound.DeadAfter + 5*time.Second

// Connections to a provider and to APIs die silently, during a call and before one. Each call gets
// an answer within seconds, and the next one works. An API that is merely slow does not count as
// dead.
func TestSilentlyBrokenConnectionsAreDetected(t *testing.T) {
	t.Parallel()
	files := strings.Split(os.Getenv(inside), "\n")
	if len(files) == 1 {
		binary := filepath.Join(t.TempDir(), "cloakroom")
		const program = "github.com/cloakroom/cloakroom/cmd/cloakroom"
		build := exec.Command("go", "build", "-tags", "nodemo", "-o", binary, program)
		if out, err := build.CombinedOutput(); err != nil {
			t.Fatalf("build the service: %v: %s", err, out)
		}
		authority := servers.NewAuthority(t)
		certificate, key := authority.Certificate(far)
		files = []string{binary, authority.File, certificate, key}
	}
	if !enter(t, files) {
		return
	}
	n := newNetwork(t)
	binary, authorities := files[0], files[1]
	pair, err := tls.LoadX509KeyPair(files[2], files[3])
	if err != nil {
		t.Fatal(err)
	}
	plain, secure, provider := n.listen(), n.listen(), n.listen()
	serve(t, plain, http.HandlerFunc(api), nil)
	serve(t, secure, http.HandlerFunc(api), &pair)
	serve(t, provider, http.HandlerFunc(op), &pair)
	front := start(t, binary, authorities, fmt.Sprintf(`
providers: [{id: main, issuer: "https://%s", client_id: app, client_secret: not-a-secret, scopes: [openid], ca_file: %q}]
routes:
  - {path: /h1/, upstream: "http://%s", token: none, csrf: none, timeout: 2m}
  - {path: /h2/, upstream: "https://%s", token: none, csrf: none, timeout: 2m}
  - {path: /client/, upstream: "http://%s", token: client, csrf: none, timeout: 2m, scopes: [x]}
`, provider.Addr(), authorities, plain.Addr(), secure.Addr(), plain.Addr()))

	var calls sync.WaitGroup
	for _, route := range []string{"/h1/", "/h2/"} {
		calls.Go(func() { call(t, front+route+"think?1h", limit+2*time.Second) }) // in progress meanwhile
	}
	time.Sleep(time.Second)
	for _, route := range []string{"/h1/", "/h2/", "/client/"} {
		if status := call(t, front+route, limit); status != http.StatusOK {
			t.Fatalf("%s = %d before packets are dropped, want 200", route, status)
		}
	}
	time.Sleep(1500 * time.Millisecond) // the service's own token expires meanwhile
	n.vanish()
	for _, route := range []string{"/h1/", "/h2/", "/client/"} {
		calls.Go(func() {
			call(t, front+route, limit) // on a dead connection
			for range 3 {
				if status := call(t, front+route, limit); status == http.StatusOK {
					return
				}
				time.Sleep(time.Second) // the service pauses after a provider's failure
			}
			t.Errorf("%s does not work over new connections", route)
		})
	}
	calls.Wait()
	for _, route := range []string{"/h1/", "/h2/"} {
		calls.Go(func() {
			if status := call(t, front+route+"think?13s", time.Minute); status != http.StatusOK {
				t.Errorf("%s with a slow API = %d, want 200", route, status)
			}
		})
	}
	calls.Wait()
}

// call sends a POST, which no client or proxy repeats.
func call(t *testing.T, address string, within time.Duration) int {
	began := time.Now()
	res, err := (&http.Client{Timeout: 2 * time.Minute}).Post(address, "text/plain", strings.NewReader("x"))
	if err != nil {
		t.Errorf("%s: %v", address, err)
		return 0
	}
	defer res.Body.Close()
	_, _ = io.Copy(io.Discard, res.Body)
	took := time.Since(began)
	t.Logf("%s = %d after %.1f s", address, res.StatusCode, took.Seconds())
	if took > within {
		t.Errorf("%s was answered after %v, want at most %v", address, took, within)
	}
	return res.StatusCode
}

// api answers after the duration in the query.
func api(w http.ResponseWriter, r *http.Request) {
	_, _ = io.Copy(io.Discard, r.Body)
	if d, err := time.ParseDuration(r.URL.RawQuery); err == nil {
		select {
		case <-time.After(d):
		case <-r.Context().Done():
		}
	}
	w.Header().Set("Content-Type", "text/plain")
	_, _ = io.WriteString(w, "ok")
}

// op is a provider that issues tokens to the service itself, each for one second.
func op(w http.ResponseWriter, r *http.Request) {
	base := "https://" + r.Host
	answer := map[string]any{
		"access_token": fmt.Sprint(time.Now().UnixNano()), "token_type": "Bearer", "expires_in": 1,
	}
	if strings.HasSuffix(r.URL.Path, "openid-configuration") {
		answer = map[string]any{
			"issuer":                                base,
			"authorization_endpoint":                base + "/authorize",
			"token_endpoint":                        base + "/token",
			"jwks_uri":                              base + "/keys",
			"response_types_supported":              []string{"code"},
			"subject_types_supported":               []string{"public"},
			"id_token_signing_alg_values_supported": []string{"RS256"},
		}
	}
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(answer)
}

func serve(t *testing.T, l net.Listener, h http.Handler, pair *tls.Certificate) {
	t.Helper()
	srv := &http.Server{Handler: h}
	if pair != nil {
		srv.TLSConfig = &tls.Config{Certificates: []tls.Certificate{*pair}}
		go func() { _ = srv.ServeTLS(l, "", "") }() // ends with the server
	} else {
		go func() { _ = srv.Serve(l) }()
	}
	t.Cleanup(func() { _ = srv.Close() })
}

// start runs the service, which trusts the certificate authorities in a file, and returns its URL.
func start(t *testing.T, binary, authorities, yaml string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "cloakroom.yaml")
	text := `
server:
  public_url: "http://localhost:8080"
  listen: "127.0.0.1:8080"
  admin_listen: "127.0.0.1:9090"
  drain_delay: 0s
  shutdown_timeout: 1s
session: {store: "memory:"}
` + yaml
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	c := exec.Command(binary, "serve", "--config", file)
	c.Env = append(os.Environ(), "SSL_CERT_FILE="+authorities)
	c.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	var log strings.Builder
	c.Stdout, c.Stderr = &log, &log
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = c.Process.Kill()
		_ = c.Wait()
		if t.Failed() {
			t.Log(log.String())
		}
	})
	for deadline := time.Now().Add(30 * time.Second); time.Now().Before(deadline); time.Sleep(50 * time.Millisecond) {
		if res, err := http.Get("http://127.0.0.1:9090/readyz"); err == nil {
			_ = res.Body.Close()
			if res.StatusCode == http.StatusOK {
				return "http://127.0.0.1:8080"
			}
		}
	}
	t.Fatalf("the service is not ready after 30 s:\n%s", log.String())
	return ""
}
