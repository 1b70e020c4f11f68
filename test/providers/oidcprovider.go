// Package providers tests cloakroom with real OpenID providers.
//
// It starts them as child processes, and uses their login, consent and logout pages like a browser:
// Browser keeps cookies and sends the headers of a navigation. What only browsers enforce, above
// all SameSite, is tested in test/browser.
package providers

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"
)

// OIDCProviderOptions configure npm's oidc-provider.
type OIDCProviderOptions struct {
	// Clients are client metadata (OpenID Connect Dynamic Registration §2).
	Clients []map[string]any
	// TTL overrides lifetimes, in seconds, by oidc-provider's names: AccessToken, RefreshToken, …
	TTL map[string]int
}

// An OIDCProvider is a running oidc-provider. It ends with the test.
type OIDCProvider struct {
	Issuer string
	t      testing.TB
}

// State has the provider's observations, without tokens.
type State struct {
	Logins        int      `json:"logins"`
	Renewals      int      `json:"renewals"`
	Refused       []string `json:"refused"`     // token requests that were refused, and why
	Backchannel   []string `json:"backchannel"` // logout tokens sent, and what came of them
	RefreshTokens int      `json:"refresh_tokens"`
	AccessTokens  int      `json:"access_tokens"`
	Sessions      int      `json:"sessions"`
}

// StartOIDCProvider starts npm's oidc-provider, a certified implementation, with rotating refresh
// tokens, on a free port of 127.0.0.1.
func StartOIDCProvider(t testing.TB, o OIDCProviderOptions) *OIDCProvider {
	t.Helper()
	folder := filepath.Join(moduleRoot(t), "test", "providers", "oidc-provider")
	if _, err := os.Stat(filepath.Join(folder, "node_modules")); err != nil {
		t.Fatalf("oidc-provider is not installed: run `make setup` (%v)", err)
	}
	settings, err := json.Marshal(map[string]any{"clients": o.Clients, "ttl": o.TTL})
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("node", "server.mjs")
	cmd.Dir = folder
	cmd.Env = append(os.Environ(), "OIDC_TEST_SETTINGS="+string(settings))
	cmd.Stderr = &failLog{t: t}
	stdin, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatalf("start oidc-provider: %v", err)
	}
	t.Cleanup(func() {
		_ = stdin.Close() // which ends it
		_ = cmd.Wait()    // its exit code says nothing
	})
	return &OIDCProvider{Issuer: readIssuer(t, stdout), t: t}
}

// readIssuer reads the one line that the provider prints when it listens.
func readIssuer(t testing.TB, from io.Reader) string {
	t.Helper()
	line := make(chan string, 1)
	go func() {
		r := bufio.NewReader(from)
		for {
			s, err := r.ReadString('\n')
			if err != nil {
				close(line)
				return
			}
			if s[0] == '{' {
				line <- s
				return
			}
		}
	}()
	var ready struct{ Issuer string }
	select {
	case s := <-line:
		if err := json.Unmarshal([]byte(s), &ready); err != nil || ready.Issuer == "" {
			t.Fatalf("oidc-provider did not say where it listens: %q (%v)", s, err)
		}
	case <-time.After(30 * time.Second):
		t.Fatal("oidc-provider did not start within 30 s")
	}
	return ready.Issuer
}

// State returns the current state of the provider.
func (p *OIDCProvider) State() State {
	p.t.Helper()
	req, err := http.NewRequestWithContext(context.Background(), http.MethodGet, p.Issuer+"/test/state", nil)
	if err != nil {
		p.t.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		p.t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	var s State
	if err := json.NewDecoder(resp.Body).Decode(&s); err != nil {
		p.t.Fatalf("read state of oidc-provider: %v", err)
	}
	return s
}

// moduleRoot is the folder of go.mod, wherever below it the test runs.
func moduleRoot(t testing.TB) string {
	t.Helper()
	dir, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	for ; ; dir = filepath.Dir(dir) {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return dir
		}
		if dir == filepath.Dir(dir) {
			t.Fatal("no go.mod above the test's folder")
		}
	}
}

// failLog writes a child process's errors to the test's output.
type failLog struct{ t testing.TB }

func (l *failLog) Write(p []byte) (int, error) {
	if _, err := fmt.Fprintf(l.t.Output(), "oidc-provider: %s", p); err != nil {
		return 0, err
	}
	return len(p), nil
}
