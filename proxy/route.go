package proxy

import (
	"cmp"
	"net/http"
	"net/http/httputil"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/cloakroom/cloakroom/proxy/reading"
)

// The access tokens that a route adds to requests. A visitor is a client without a session.
const (
	TokenUser         = "user"           // the user's; a visitor gets 401
	TokenClient       = "client"         // this service's own
	TokenUserOrClient = "user_or_client" // the user's, or this service's own for a visitor
	TokenOptional     = "optional"       // the user's, or none for a visitor
	TokenNone         = "none"
)

// The CSRF checks of a route.
const (
	CSRFHeader        = "header"
	CSRFFetchMetadata = "fetch-metadata"
	CSRFNone          = "none"
)

// A Route is a path prefix and the API behind it.
type Route struct {
	Path        string // prefix; it ends where a segment does
	Upstream    *url.URL
	Token       string
	CSRF        string
	Timeout     time.Duration // to the response's first byte
	Methods     []string
	SharedCache bool // keep `public` and `s-maxage` of the upstream
	// IdleConnectionTimeout is how long an unused connection to the upstream is kept; 0 means
	// outbound.IdleTimeout. It must be shorter than the upstream's own timeout.
	IdleConnectionTimeout time.Duration
	Scopes                []string // of this service's own token
	Provider              string   // issuer of this service's own token, by its id
	// EndWithToken cuts a stream when the access token that it was opened with expires. Otherwise
	// the stream lasts as long as the session.
	EndWithToken bool
	Require      Require // what the user needs besides a session
	// EncodedSlashes forwards %2F unchanged. Otherwise it is refused.
	EncodedSlashes bool
}

// A route is a Route with what is derived from it.
type route struct {
	Route
	prefix  string // Path without its last slash
	base    string // path of the upstream, without its last slash
	origin  string // of the upstream
	reverse *httputil.ReverseProxy

	class     int  // the same for routes with the same guard
	hasRivals bool // there is a route that is distinct from this one
	// sharesUpstream: a route with another guard leads to another part of the same upstream.
	sharesUpstream bool
}

func (p *Proxy) newRoutes() []*route {
	routes := make([]*route, 0, len(p.o.Routes))
	for _, r := range p.o.Routes {
		rt := newRoute(r)
		rt.reverse = p.newReverse(rt)
		routes = append(routes, rt)
	}
	slices.SortStableFunc(routes, longerFirst)
	return routes
}

func newRoute(r Route) *route {
	return &route{
		Route: r, origin: origin(r.Upstream),
		prefix: strings.TrimSuffix(r.Path, "/"), base: strings.TrimSuffix(r.Upstream.EscapedPath(), "/"),
	}
}

func longerFirst(a, b *route) int { return cmp.Compare(len(b.prefix), len(a.prefix)) }

// Handler returns the handler for requests with an escaped path, or nil if no route matches. If the
// path can be read in more than one way, and one reading belongs to a route, the handler refuses
// the request, so that it is not answered with a file of the app.
func (p *Proxy) Handler(escaped string) http.Handler {
	rt, ours := p.lookUp(escaped)
	switch {
	case rt != nil:
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { p.pass(w, r, rt) })
	case ours:
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			p.o.Fail(w, r, ambiguousPath())
		})
	}
	return nil
}

// lookUp returns the route of an escaped path. It returns nil if there is none, or if servers may
// disagree about the path. The result ours reports whether any reading of the path belongs to a
// route.
func (p *Proxy) lookUp(escaped string) (rt *route, ours bool) {
	rt = p.find(escaped)
	if rt == nil {
		return nil, p.couldBeOurs(escaped)
	}
	if reading.Ambiguous(escaped, rt.EncodedSlashes) || p.pathIndex.disputed(escaped, rt) {
		return nil, true
	}
	return rt, true
}

// couldBeOurs reports whether another reading of a path belongs to a route.
func (p *Proxy) couldBeOurs(escaped string) bool {
	if !reading.Ambiguous(escaped, false) {
		return false
	}
	for key, ok := range reading.Of(escaped) {
		if ok && p.pathIndex.public.lookUp(key) != nil {
			return true
		}
	}
	return false
}

// find returns the route with the longest matching prefix, or nil. A prefix matches only up to the
// end of a segment: /api matches /api and /api/x, but not /apix (PX5).
func (p *Proxy) find(escaped string) *route { return find(p.routes, escaped) }

func find(longestFirst []*route, escaped string) *route {
	for _, rt := range longestFirst {
		rest, ok := strings.CutPrefix(escaped, rt.prefix)
		if ok && (rest == "" || rest[0] == '/') {
			return rt
		}
	}
	return nil
}

// target returns the path of the upstream request: the upstream's path replaces the prefix, and the
// rest is unchanged.
func (rt *route) target(escaped string) string {
	to := rt.base + strings.TrimPrefix(escaped, rt.prefix)
	if to == "" {
		return "/"
	}
	return to
}

// setURL sets the URL of an upstream request. It sets both Path and RawPath, so that exactly the
// path that was checked is sent. The query is unchanged (PX12).
func (rt *route) setURL(out *url.URL, escaped, rawQuery string) {
	out.Scheme, out.Host = rt.Upstream.Scheme, rt.Upstream.Host
	out.RawPath = rt.target(escaped)
	out.Path, _ = url.PathUnescape(out.RawPath) // can't fail: the path was checked
	out.RawQuery = rawQuery
	out.User, out.Fragment, out.RawFragment = nil, "", ""
}

// allows returns nil if the route has the method of r. Otherwise it sets Allow and returns a 405.
func (rt *route) allows(w http.ResponseWriter, r *http.Request) error {
	if slices.Contains(rt.Methods, r.Method) {
		return nil
	}
	w.Header().Set("Allow", strings.Join(rt.Methods, ", "))
	return methodNotAllowed()
}
