package check

import (
	"context"
	"errors"
	"net"
	"net/http"
	"strings"
	"syscall"

	"github.com/cloakroom/cloakroom/config"
	"github.com/cloakroom/cloakroom/outbound"
	"github.com/cloakroom/cloakroom/server"
	"github.com/cloakroom/cloakroom/site"
)

// checkStart builds the service as serve does, but does not open its store and its ports.
func checkStart(ctx context.Context, cfg *config.Config) []Finding {
	err := server.Try(ctx, cfg)
	if err == nil {
		return nil
	}
	f := Finding{
		Area: "configuration", Name: "start", Status: Wrong, Detail: err.Error(),
		Remedy: "correct what the error names: `cloakroom serve` would stop with the same error",
	}
	if start, ok := errors.AsType[*server.StartError](err); ok {
		f.Detail, f.Remedy = start.Err.Error(), start.Remedy
	}
	return []Finding{f}
}

// checkListeners opens both ports and closes them again. A port that a running cloakroom uses is
// OK.
func checkListeners(ctx context.Context, cfg *config.Config, app *site.Site) (found []Finding) {
	for _, l := range []struct{ key, address, health string }{
		{"server.listen", cfg.Listen.Address, app.Path("/session")},
		{"server.admin_listen", cfg.Listen.Admin, "/healthz"},
	} {
		if l.address == "" {
			continue
		}
		f := Finding{Area: "listener", Name: l.key, Status: OK, Detail: l.address + " is free"}
		opened, err := new(net.ListenConfig).Listen(ctx, "tcp", l.address)
		switch {
		case err == nil:
			_ = opened.Close() // nobody has connected
		case errors.Is(err, syscall.EADDRINUSE) && isCloakroom(ctx, cfg, l.address, l.health):
			f.Detail = l.address + " is in use by a running cloakroom"
		default:
			start := server.ListenError(l.key, l.address, err)
			f.Status, f.Detail, f.Remedy = Wrong, start.Err.Error(), start.Remedy
		}
		found = append(found, f)
	}
	return found
}

// isCloakroom reports whether the server at address answers as this service does.
func isCloakroom(ctx context.Context, cfg *config.Config, address, path string) bool {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return false
	}
	if ip := net.ParseIP(host); host == "" || ip.IsUnspecified() {
		host = "127.0.0.1"
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+net.JoinHostPort(host, port)+path, nil)
	if err != nil {
		return false
	}
	req.Header.Set("X-CSRF", "1")
	if path != "/healthz" {
		req.Host = cfg.Site.PublicURL.Host
	}
	transport := outbound.NewTransport()
	defer transport.CloseIdleConnections()
	resp, err := transport.RoundTrip(req)
	if err != nil {
		return false
	}
	_ = resp.Body.Close() // only the headers matter
	// The status alone is not enough: a development server answers everything with 200 and a page.
	return resp.StatusCode == http.StatusOK &&
		strings.HasPrefix(resp.Header.Get("Content-Type"), "application/json") &&
		resp.Header.Get("Cache-Control") == "no-store"
}
