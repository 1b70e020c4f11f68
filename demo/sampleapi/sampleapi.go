// Package sampleapi is the API behind the demo. It shows what an upstream of cloakroom receives.
//
// It accepts only access tokens, introspects each at the provider (RFC 7662), and never returns
// one: it masks the Authorization header in what it echoes. It knows nothing of cookies, sessions
// or cloakroom.
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

// ErrTokenInvalid means that the token is unknown to the provider, expired or revoked.
var ErrTokenInvalid = errors.New("access token is not valid")

// A Grant describes a valid access token.
type Grant struct {
	Subject   string
	Scope     string
	ExpiresAt time.Time
}

// A Verifier returns the grant of an access token. ErrTokenInvalid means that the token is invalid;
// any other error means that it could not be verified.
type Verifier interface {
	Verify(ctx context.Context, accessToken secret.Value) (Grant, error)
}

// New returns the API: GET /whoami, POST /notes, GET /stream and the WebSocket /echo. All but
// /healthz require a valid access token.
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

// A caller is a request's access token and its grant.
type caller struct {
	accessToken secret.Value
	grant       Grant
}

// guard requires a valid access token. It answers 401 as in RFC 6750 §3.1, so that a proxy can
// distinguish "renew the token and try again" from "this user has no permission".
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
			writeJSON(w, http.StatusServiceUnavailable, map[string]string{"error": "the provider did not answer"})
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

// whoami answers with the request as it arrived. The fingerprint shows that the token has changed,
// without showing the token.
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

// shownHeaders are the request's headers without the token, which must not reach the browser.
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
	_ = json.NewEncoder(w).Encode(v) // an error means that the caller is gone
}
