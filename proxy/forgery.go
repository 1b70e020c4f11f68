package proxy

import (
	"net/http"
	"strings"

	"github.com/cloakroom/cloakroom/problem"
	"github.com/cloakroom/cloakroom/site"
)

// preflight answers a CORS preflight without any permission; the API never gets it (CS5). It
// reports whether the request was one.
func (p *Proxy) preflight(w http.ResponseWriter, r *http.Request) bool {
	if r.Method != http.MethodOptions || r.Header.Get("Access-Control-Request-Method") == "" {
		return false
	}
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Add("Vary", "Origin, Access-Control-Request-Method, Access-Control-Request-Headers")
	w.WriteHeader(http.StatusNoContent)
	return true
}

// checkUpgrade refuses every upgrade but one to websocket (WS2). httputil.ReverseProxy would tunnel
// any protocol, even h2c, and nothing checks the requests in a tunnel.
func (p *Proxy) checkUpgrade(r *http.Request) error {
	if len(r.Header["Upgrade"]) == 0 && len(r.Header["Http2-Settings"]) == 0 {
		return nil
	}
	if !isWebSocket(r) || r.Method != http.MethodGet || len(r.Header["Http2-Settings"]) > 0 {
		return unsupportedUpgrade()
	}
	return nil
}

func isWebSocket(r *http.Request) bool {
	return len(r.Header["Upgrade"]) == 1 && strings.EqualFold(r.Header.Get("Upgrade"), "websocket")
}

// checkWorker refuses scripts of service workers (Service Workers §4.3). A service worker acts as
// the app until it is unregistered, and a sandbox policy does not take its origin away as it does
// for a page (PR5).
func checkWorker(r *http.Request) error {
	if len(r.Header["Service-Worker"]) > 0 || r.Header.Get("Sec-Fetch-Dest") == "serviceworker" {
		return problem.New(problem.Forbidden).WithDetail("an API's script can't be a service worker " +
			"of the app; serve the worker's script with the app's own files")
	}
	return nil
}

// checkForgery is the CSRF check of a route (CS1). A script of another origin can't send the header
// X-CSRF, because the preflight for it gets no permission. A WebSocket can't carry the header, so
// its Origin is checked (WS1).
func (p *Proxy) checkForgery(rt *route, r *http.Request) error {
	switch {
	case isWebSocket(r):
		return p.admit(r, site.ForHandshake)
	case rt.CSRF == CSRFNone:
		return nil
	case rt.CSRF == CSRFFetchMetadata:
		return p.admit(r, site.ForFetchMetadata)
	}
	return p.admit(r, site.ForHeader) // also for an unknown word: it is the strictest
}

func (p *Proxy) admit(r *http.Request, g site.Guard) error {
	if !p.o.Site.Admits(r, g) {
		return forged()
	}
	return nil
}
