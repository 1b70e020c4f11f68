package world

import (
	"net/http"
	"testing"
)

// SPAOrigin is another origin. Its pages may call the service of WithCORS.
const SPAOrigin = "http://localhost:4173"

// WithCORS returns a World whose service the pages of SPAOrigin may call.
func WithCORS(t *testing.T) *World {
	t.Helper()
	g := NewStage(t)
	cfg := g.Config(g.Port, "sqlite:"+g.DB, "")
	cfg.Site.AllowedOrigins = []string{SPAOrigin}
	g.Run(cfg)
	return g
}

// FromSPA returns the headers that a browser sends with a request by a page of an origin.
func FromSPA(origin string) []string {
	return []string{"Origin", origin, "Sec-Fetch-Site", "same-site", "Sec-Fetch-Mode", "cors", "Sec-Fetch-Dest", "empty"}
}

// ProxySecret authenticates a reverse proxy (forward_auth.secret).
const ProxySecret = "a-secret-of-the-proxy-and-of-nobody-else"

// MustRequest returns a GET request; headers alternate between name and value.
func MustRequest(t *testing.T, target string, header ...string) *http.Request {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, target, nil)
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	return req
}
