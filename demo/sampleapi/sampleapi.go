// Package sampleapi is the API behind the demo: it shows what an upstream of cloakroom gets to see.
//
// It takes access tokens only, asks the provider about each by introspection (RFC 7662), and never
// gives a token back: what it echoes has the Authorization header masked. It knows nothing of
// cookies, sessions or cloakroom.
package sampleapi

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"net/http"
	"strings"
	"time"

	"github.com/cloakroom/cloakroom/secret"
)

// ErrTokenInvalid means the provider does not vouch for the token: unknown, expired or revoked.
var ErrTokenInvalid = errors.New("access token is not valid")

// A Grant is what a valid access token stands for.
type Grant struct {
	Subject   string
	Scope     string
	ExpiresAt time.Time
}

// A Verifier says what an access token stands for: ErrTokenInvalid, or another error when that
// could not be found out.
type Verifier interface {
	Verify(ctx context.Context, accessToken secret.Value) (Grant, error)
}

// New is the API as an http.Handler: GET /whoami, POST /notes, GET /stream and the WebSocket /echo.
// All but /healthz want a valid access token.
func New(v Verifier) http.Handler {
	a := &api{verifier: v}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusOK) })
	mux.Handle("GET /whoami", a.guard(whoami))
	mux.Handle("POST /notes", a.guard(notes))
	mux.Handle("GET /stream", a.guard(stream))
	mux.Handle("GET /echo", a.guard(echo))
	return mux
}

type api struct{ verifier Verifier }

// A caller is a request's access token and what it stands for.
type caller struct {
	accessToken secret.Value
	grant       Grant
}

// guard answers 401 as RFC 6750 §3.1 has it, so that a proxy can tell "renew the token and try
// again" from "this user may not".
func (a *api) guard(next func(http.ResponseWriter, *http.Request, caller)) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		accessToken, ok := bearer(r)
		if !ok {
			w.Header().Set("WWW-Authenticate", "Bearer") // no error code when no token came (RFC 6750 §3.1)
			writeJSON(w, http.StatusUnauthorized, map[string]string{"error": "no access token"})
			return
		}
		grant, err := a.verifier.Verify(r.Context(), accessToken)
		switch {
		case errors.Is(err, ErrTokenInvalid):
			w.Header().Set("WWW-Authenticate", `Bearer error="invalid_token"`)
			writeJSON(w, http.StatusUnauthorized, map[string]string{"error": "invalid_token"})
		case err != nil:
			writeJSON(w, http.StatusServiceUnavailable, map[string]string{"error": "the provider could not be asked"})
		default:
			next(w, r, caller{accessToken, grant})
		}
	})
}

func bearer(r *http.Request) (secret.Value, bool) {
	scheme, value, ok := strings.Cut(r.Header.Get("Authorization"), " ")
	if !ok || !strings.EqualFold(scheme, "Bearer") || value == "" {
		return secret.Value{}, false
	}
	return secret.New(value), true
}

// whoami tells the caller what arrived here. The fingerprint lets people see that the token changed
// without seeing the token.
func whoami(w http.ResponseWriter, r *http.Request, c caller) {
	sum := sha256.Sum256([]byte(c.accessToken.Reveal()))
	writeJSON(w, http.StatusOK, map[string]any{
		"subject": c.grant.Subject,
		"token": map[string]any{
			"fingerprint": hex.EncodeToString(sum[:4]),
			"expires_at":  c.grant.ExpiresAt.UTC().Format(time.RFC3339),
			"scope":       c.grant.Scope,
		},
		"request":   map[string]any{"method": r.Method, "path": r.URL.Path, "headers": shownHeaders(r)},
		"served_at": time.Now().UTC().Format(time.RFC3339Nano),
	})
}

// shownHeaders are the request's headers without the token, which would otherwise reach the browser.
func shownHeaders(r *http.Request) map[string]string {
	shown := map[string]string{"Host": r.Host}
	for name, values := range r.Header {
		shown[name] = strings.Join(values, ", ")
	}
	shown["Authorization"] = "Bearer ***"
	return shown
}

func writeJSON(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(v) // the reader may be gone
}
