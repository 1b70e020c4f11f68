package site

import (
	"net/http"
	"slices"
	"strings"
)

// A Guard is how a request must show that no page of another site made it. What kind of request an
// endpoint is for decides which one it has.
type Guard int

// The guards. The zero value lets nothing through.
const (
	_ Guard = iota
	// ForFetch is for an endpoint that a page of ours calls by fetch: the header X-CSRF: 1, which no
	// other origin can send without a preflight, and no mark of another origin.
	ForFetch
	// ForStream is for an EventSource, which can't send that header: no mark of another origin.
	ForStream
	// ForForm is for a form on a page of the public origin. The form's own token must prove the rest.
	ForForm
	// ForFrame is for a page that a page of the public origin loads into a frame.
	ForFrame
	// ForSubrequest is for what a reverse proxy asks about, with the headers of the request that it is
	// about to pass on: an application's page loads style sheets, scripts and images, too.
	ForSubrequest
	// ForHeader is for an API route: the header, and no mark of another origin.
	ForHeader
	// ForFetchMetadata is for an API route whose callers can't send the header: the browser's marks
	// are enough, and where there are none only reading is let through.
	ForFetchMetadata
	// ForHandshake is for a WebSocket's opening handshake. A WebSocket is no CORS request: whoever
	// opens one can read it without any leave, so an allowed origin is none for it. Its Origin can't
	// be missing in a browser, nor forged by a script (RFC 6455 §10.2).
	ForHandshake
)

// Admits reports whether a request shows what g demands. It is the one CSRF verdict: each endpoint,
// route and form asks it. What a browser marks as coming from another origin, a sibling subdomain
// included, is admitted by no guard, even with the header (CS2), and a word of Fetch Metadata that is
// not known counts as such a mark; a handshake alone is judged by its Origin alone.
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
	noCORS := r.Header.Get("Sec-Fetch-Mode") == "no-cors" // an image's or a script's request (CS9)
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
		// What a person typed, and what nobody marked, is let in only to read.
		return header || v == own || v != referred && reads(r)
	}
	return false
}

// A verdict is what a browser's marks say of who is behind a request.
type verdict int

// The verdicts. foreign is the zero value: what is not judged is not let in.
const (
	foreign  verdict = iota // a page of another origin, a sibling subdomain's included; or marks that no browser makes
	referred                // Referer alone names a page of another origin: as good as foreign where nothing else is proof
	unmarked                // nothing is said: an old browser, or none
	typed                   // the person: an address typed, a bookmark, a download of a known address
	own                     // a page of the public origin, or of an allowed one that says so
)

// judge reads Origin, Fetch Metadata and, where both are missing from a request that only reads,
// Referer: WebKit sends neither with `<a download>`. An origin counts byte for byte. The marks can't be
// forged by a script; a word of Fetch Metadata that is not known counts as foreign.
func (s *Site) judge(r *http.Request, allowed []string) verdict {
	origin, site, mode := r.Header["Origin"], r.Header["Sec-Fetch-Site"], r.Header.Get("Sec-Fetch-Mode")
	switch {
	case len(origin) > 1 || len(site) > 1:
		return foreign
	case len(origin) == 1 && slices.Contains(allowed, origin[0]):
		return own // a CORS request, which Fetch Metadata calls foreign
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

// isKnownMode reports whether a Sec-Fetch-Mode is absent, or one that says nothing against a request;
// no-cors does.
func isKnownMode(mode string) bool {
	switch mode {
	case "", "navigate", "same-origin", "cors", "websocket":
		return true
	}
	return false
}

// reads reports whether a request's method is one that changes nothing and that a link or an image can
// have.
func reads(r *http.Request) bool { return r.Method == http.MethodGet || r.Method == http.MethodHead }

// byReferer judges by the page that a request came from. A page can leave it out, and can't make one
// up.
func (s *Site) byReferer(referer, allowed []string) verdict {
	switch {
	case len(referer) > 1:
		return foreign // no browser does that
	case len(referer) == 0 || referer[0] == "":
		return unmarked
	}
	if isOf(referer[0], s.origin) || slices.ContainsFunc(allowed, func(o string) bool { return isOf(referer[0], o) }) {
		return own
	}
	return referred
}

// isOf reports whether a URL is of an origin.
func isOf(page, origin string) bool {
	rest, ok := strings.CutPrefix(page, origin)
	return ok && (rest == "" || strings.IndexByte("/?#", rest[0]) >= 0)
}

// AllowedOrigin returns the Origin of r if its pages may read answers (Fetch §3.2). An origin is
// compared byte for byte.
func (s *Site) AllowedOrigin(r *http.Request) (origin string, ok bool) {
	origins := r.Header["Origin"]
	if len(origins) != 1 || !slices.Contains(s.o.AllowedOrigins, origins[0]) {
		return "", false
	}
	return origins[0], true
}

// AllowsOrigins reports whether pages of any origin but the public one may call.
func (s *Site) AllowsOrigins() bool { return len(s.o.AllowedOrigins) > 0 }
