package sampleapi_test

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"

	"github.com/cloakroom/cloakroom/demo/sampleapi"
	"github.com/cloakroom/cloakroom/secret"
)

// provider is an introspection endpoint for which one token is active.
func provider(t *testing.T) sampleapi.Introspection {
	t.Helper()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		id, pass, _ := r.BasicAuth()
		if id != "api" || pass != "s%2F1" {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		_ = json.NewEncoder(w).Encode(map[string]any{
			"active": r.PostFormValue("token") == "good", "sub": "alice", "scope": "openid api",
			"exp": time.Now().Add(time.Minute).Unix(),
		})
	}))
	t.Cleanup(s.Close)
	return sampleapi.Introspection{Endpoint: s.URL, ClientID: "api", ClientSecret: secret.New("s/1")}
}

func start(t *testing.T, v sampleapi.Verifier) string {
	t.Helper()
	s := httptest.NewServer(sampleapi.New(v))
	t.Cleanup(s.Close)
	return s.URL
}

func call(t *testing.T, method, url, token, body string) (*http.Response, string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	if token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp, string(b)
}

func TestWhoamiTellsWhatArrivedButNotTheToken(t *testing.T) {
	url := start(t, provider(t))
	resp, body := call(t, http.MethodGet, url+"/whoami", "good", "")
	if resp.StatusCode != http.StatusOK || strings.Contains(body, "good") {
		t.Fatalf("got %s %s", resp.Status, body)
	}
	var seen struct {
		Subject string
		Token   struct{ Fingerprint, Scope string }
		Request struct{ Headers map[string]string }
	}
	if err := json.Unmarshal([]byte(body), &seen); err != nil {
		t.Fatal(err)
	}
	const fingerprint = "770e6076" // of SHA-256("good")
	if seen.Subject != "alice" || seen.Token.Fingerprint != fingerprint ||
		seen.Request.Headers["Authorization"] != "Bearer ***" {
		t.Errorf("got %+v", seen)
	}
}

func TestBadTokensAreRefusedInRFC6750sWords(t *testing.T) {
	url := start(t, provider(t))
	for token, want := range map[string]string{"": "Bearer", "bad": `Bearer error="invalid_token"`} {
		resp, _ := call(t, http.MethodGet, url+"/whoami", token, "")
		if got := resp.Header.Get("WWW-Authenticate"); resp.StatusCode != http.StatusUnauthorized || got != want {
			t.Errorf("token %q: %s %q, want 401 %q", token, resp.Status, got, want)
		}
	}
}

type outage struct{}

func (outage) Verify(context.Context, secret.Value) (sampleapi.Grant, error) {
	return sampleapi.Grant{}, errors.New("down")
}

func TestProviderOutageIsNotABadToken(t *testing.T) {
	resp, _ := call(t, http.MethodGet, start(t, outage{})+"/whoami", "good", "")
	if resp.StatusCode != http.StatusServiceUnavailable {
		t.Errorf("got %s, want 503", resp.Status)
	}
	wrong := provider(t)
	wrong.ClientSecret = secret.New("x")
	resp, _ = call(t, http.MethodGet, start(t, wrong)+"/whoami", "good", "")
	if resp.StatusCode != http.StatusServiceUnavailable {
		t.Errorf("wrong introspection secret: %s, want 503", resp.Status)
	}
}

func TestNotesComeBack(t *testing.T) {
	url := start(t, provider(t))
	resp, body := call(t, http.MethodPost, url+"/notes", "good", `{"text":"hello"}`)
	if resp.StatusCode != http.StatusCreated || !strings.Contains(body, `"text":"hello"`) {
		t.Errorf("got %s %s", resp.Status, body)
	}
	if resp, _ = call(t, http.MethodPost, url+"/notes", "good", `{`); resp.StatusCode != http.StatusBadRequest {
		t.Errorf("broken JSON: %s, want 400", resp.Status)
	}
	resp, _ = call(t, http.MethodPost, url+"/notes", "good", `"`+strings.Repeat("x", 1<<17)+`"`)
	if resp.StatusCode != http.StatusRequestEntityTooLarge {
		t.Errorf("128 KiB: %s, want 413", resp.Status)
	}
}

func TestStreamTicks(t *testing.T) {
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, start(t, provider(t))+"/stream", nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer good")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	line, err := bufio.NewReader(resp.Body).ReadString('\n')
	if err != nil || line != "event: tick\n" {
		t.Errorf("first line = %q, %v", line, err)
	}
}

func TestEchoSendsEveryMessageBack(t *testing.T) {
	url := start(t, provider(t))
	c, resp, err := websocket.Dial(t.Context(), url+"/echo", &websocket.DialOptions{
		HTTPHeader: http.Header{"Authorization": {"Bearer good"}},
	})
	if err != nil {
		t.Fatal(err, resp)
	}
	defer func() { _ = c.CloseNow() }()
	if err := c.Write(t.Context(), websocket.MessageText, []byte("ping")); err != nil {
		t.Fatal(err)
	}
	if _, got, err := c.Read(t.Context()); err != nil || string(got) != "ping" {
		t.Errorf("got %q, %v", got, err)
	}
}
