package site

import (
	"net/http"
	"slices"
	"strings"
)

// A Guard is a rule for requests that protects against cross-site request forgery. An endpoint has
// the Guard for its kind of request.
type Guard int

// The guards. The zero value refuses every request.
const (
	_ Guard = iota
	// ForFetch is for an endpoint that the app calls by fetch. It requires the header X-CSRF: 1,
	// which another origin can't send without a preflight, and no sign of another origin.
	ForFetch
	// ForStream is for an EventSource, which can't send that header. It requires no sign of another
	// origin.
	ForStream
	// ForForm is for a form on a page of the public origin. The form must also have a token.
	ForForm
	// ForFrame is for a page that a page of the public origin loads into a frame.
	ForFrame
	// ForSubrequest is for the request of a reverse proxy that asks whether it may pass on a
	// browser's request. It has the headers of that request, which may also be for a style sheet,
	// script or image.
	ForSubrequest
	// ForHeader is for an API route. It requires the header and no sign of another origin.
	ForHeader
	// ForFetchMetadata is for an API route whose clients can't send the header. What the browser
	// says of the request's origin is enough. If it says nothing, only GET and HEAD are admitted.
	ForFetchMetadata
	// ForHandshake is for the opening handshake of a WebSocket. CORS does not apply to WebSockets:
	// the page that opens one can read it. So only the public origin is admitted. In a browser the
	// Origin is always present, and a script can't forge it (RFC 6455 §10.2).
	ForHandshake
)

// Admits reports whether g admits a request. All CSRF checks of the service are made here. No guard
// but ForHandshake, which checks only Origin, admits a request that the browser marks as one of
// another origin, even with the header (CS2). A sibling subdomain is another origin, and an unknown
// value of Fetch Metadata counts as one.
func (s *Site) Admits(r *http.Request, g Guard) bool {
	if g == ForHandshake {
		origin := r.Header["Origin"]
		return len(origin) == 1 && origin[0] == s.origin
	}
	allowed := s.o.AllowedOrigins
	if g == ForForm || g == ForFrame {
		allowed = nil
	}
	v, header := s.judge(r, allowed), r.Header.Get("X-Csrf") == "1"
	if v == foreign {
		return false
	}
	noCORS := r.Header.Get("Sec-Fetch-Mode") == "no-cors" // for an image or a script (CS9)
	switch g {
	case ForFetch:
		return header && !noCORS
	case ForStream:
		return v != referred && !noCORS
	case ForForm:
		return v == own || v == unmarked
	case ForFrame:
		return v != typed
	case ForSubrequest:
		return v != referred
	case ForHeader:
		return header
	case ForFetchMetadata:
		// A typed address, or a request without any sign, may only read.
		return header || v == own || v != referred && reads(r)
	}
	return false
}

// A verdict says where a request comes from, by the headers that a browser sets.
type verdict int

// The verdicts. The zero value is the one that is refused.
const (
	// foreign is a page of another origin, including sibling subdomains, or headers that no browser
	// sends.
	foreign verdict = iota
	// referred is a page of another origin by its Referer, the only sign.
	referred
	// unmarked is a request without any sign, of an old browser or another client.
	unmarked
	// typed is an action of the user: a typed address, a bookmark, or a download.
	typed
	// own is a page of the public origin, or of an allowed one.
	own
)

// judge uses Origin and Fetch Metadata. If a GET or HEAD has neither, it uses Referer: WebKit sends
// neither for `<a download>`. A script can't forge these headers. Origins are compared byte for
// byte. An unknown value of Fetch Metadata is foreign.
func (s *Site) judge(r *http.Request, allowed []string) verdict {
	origin, site, mode := r.Header["Origin"], r.Header["Sec-Fetch-Site"], r.Header.Get("Sec-Fetch-Mode")
	switch {
	case len(origin) > 1 || len(site) > 1:
		return foreign
	case len(origin) == 1 && slices.Contains(allowed, origin[0]):
		return own // a CORS request; Sec-Fetch-Site is same-site or cross-site
	case len(origin) == 1 && origin[0] != s.origin:
		return foreign
	}
	said := ""
	if len(site) == 1 {
		said = site[0]
	}
	switch {
	case said == "same-origin":
		return own
	case said != "" && said != "none", !isKnownMode(mode): // which a page of any origin may send
		return foreign
	case said == "none":
		return typed
	case len(origin) == 1:
		return own
	case reads(r):
		return s.byReferer(r.Header["Referer"], allowed)
	}
	return unmarked
}

// isKnownMode reports whether a Sec-Fetch-Mode is missing, or is a known one other than no-cors,
// which any page can cause.
func isKnownMode(mode string) bool {
	switch mode {
	case "", "navigate", "same-origin", "cors", "websocket":
		return true
	}
	return false
}

// reads reports whether a request is a GET or HEAD, which change nothing and which links and images
// send.
func reads(r *http.Request) bool { return r.Method == http.MethodGet || r.Method == http.MethodHead }

// byReferer judges a request by its Referer. A page can omit the header but can't forge it.
func (s *Site) byReferer(referer, allowed []string) verdict {
	switch {
	case len(referer) > 1:
		return foreign // no browser does that
	case len(referer) == 0 || referer[0] == "":
		return unmarked
	}
	named := func(origin string) bool { return isOf(referer[0], origin) }
	if named(s.origin) || slices.ContainsFunc(allowed, named) {
		return own
	}
	return referred
}

// isOf reports whether the URL of a page has an origin.
func isOf(page, origin string) bool {
	rest, ok := strings.CutPrefix(page, origin)
	return ok && (rest == "" || strings.IndexByte("/?#", rest[0]) >= 0)
}

// AllowedOrigin returns the Origin of r if it is in the configured list, whose pages may read
// responses (Fetch §3.2). Origins are compared byte for byte.
func (s *Site) AllowedOrigin(r *http.Request) (origin string, ok bool) {
	origins := r.Header["Origin"]
	if len(origins) != 1 || !slices.Contains(s.o.AllowedOrigins, origins[0]) {
		return "", false
	}
	return origins[0], true
}

// AllowsOrigins reports whether pages of any origin but the public one may call.
func (s *Site) AllowsOrigins() bool { return len(s.o.AllowedOrigins) > 0 }
