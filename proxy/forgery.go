package proxy

import (
	"net/http"
	"strings"

	"github.com/cloakroom/cloakroom/problem"
	"github.com/cloakroom/cloakroom/site"
)

// preflight answers a CORS preflight here, with no permission, and never passes it on (CS5).
func (p *Proxy) preflight(w http.ResponseWriter, r *http.Request) bool {
	if r.Method != http.MethodOptions || r.Header.Get("Access-Control-Request-Method") == "" {
		return false
	}
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Add("Vary", "Origin, Access-Control-Request-Method, Access-Control-Request-Headers")
	w.WriteHeader(http.StatusNoContent)
	return true
}

// checkUpgrade lets only websocket through (WS2): httputil.ReverseProxy would tunnel anything, h2c
// too, and what follows in a tunnel is seen by nobody.
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

// checkWorker refuses scripts of service workers (Service Workers §4.3). Such a script acts as the app for as long as
// its registration lives, and no policy that comes with it takes its origin away, as the sandbox does with a page (PR5).
func checkWorker(r *http.Request) error {
	if len(r.Header["Service-Worker"]) > 0 || r.Header.Get("Sec-Fetch-Dest") == "serviceworker" {
		return problem.New(problem.Forbidden).WithDetail("an API's script can't be a service worker of the app; serve the worker's script with the app's own files")
	}
	return nil
}

// checkForgery is the route's CSRF check (CS1). A script of another origin can't send our
// header without a preflight, which is answered with no permission. A WebSocket can't carry the header
// (WS1).
func (p *Proxy) checkForgery(rt *route, r *http.Request) error {
	switch {
	case isWebSocket(r):
		return p.admit(r, site.ForHandshake)
	case rt.CSRF == CSRFNone:
		return nil
	case rt.CSRF == CSRFFetchMetadata:
		return p.admit(r, site.ForFetchMetadata)
	}
	return p.admit(r, site.ForHeader) // the strictest, for a word that is not known
}

func (p *Proxy) admit(r *http.Request, g site.Guard) error {
	if !p.o.Site.Admits(r, g) {
		return forged()
	}
	return nil
}
