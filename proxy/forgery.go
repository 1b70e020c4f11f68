package proxy

import (
	"net/http"
	"slices"
	"strings"
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

// checkForgery is the route's CSRF check (contract §4.2). A script of another origin can't send our
// header without a preflight, which is answered with no permission; what the browser itself marks as coming from another origin, a
// sibling subdomain included, is refused even with the header (CS2).
func (p *Proxy) checkForgery(rt *route, r *http.Request) error {
	if isWebSocket(r) { // can't carry the header; its Origin can't be missing or forged in a browser (WS1)
		if origins := r.Header["Origin"]; len(origins) == 1 && origins[0] == p.Origin {
			return nil
		}
		return forged()
	}
	if rt.CSRF == CSRFNone {
		return nil
	}
	if p.fromElsewhere(r) {
		return forged()
	}
	marked := r.Header.Get("X-Csrf") == "1"
	if rt.CSRF == CSRFHeader && !marked {
		return forged()
	}
	if rt.CSRF == CSRFFetchMetadata && !marked && !p.provenOwn(r) {
		return forged()
	}
	return nil
}

// fromElsewhere reports whether the browser says that another origin is behind the request.
func (p *Proxy) fromElsewhere(r *http.Request) bool {
	if p.fromAllowed(r) {
		return false
	}
	switch r.Header.Get("Sec-Fetch-Site") {
	case "", "same-origin", "none":
	default:
		return true
	}
	if r.Header.Get("Sec-Fetch-Mode") == "no-cors" && r.Header.Get("Sec-Fetch-Site") != "same-origin" {
		return true
	}
	origins := r.Header["Origin"]
	return len(origins) > 1 || len(origins) == 1 && origins[0] != p.Origin
}

// fromAllowed reports whether the browser says that a page of an allowed origin is behind the request. Its requests
// are CORS requests; their Origin can't be forged by a script.
func (p *Proxy) fromAllowed(r *http.Request) bool {
	origins := r.Header["Origin"]
	return len(origins) == 1 && slices.Contains(p.AllowedOrigins, origins[0])
}

// provenOwn reports whether the browser says that our own origin is behind the request. What a
// person typed ("none") is theirs, but only for reading.
func (p *Proxy) provenOwn(r *http.Request) bool {
	if p.fromAllowed(r) {
		return true
	}
	switch r.Header.Get("Sec-Fetch-Site") {
	case "same-origin":
		return true
	case "none":
		return r.Method == http.MethodGet || r.Method == http.MethodHead
	}
	return r.Header.Get("Origin") == p.Origin
}
