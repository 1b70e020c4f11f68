package proxy

import (
	"cmp"
	"net/http"
	"net/http/httputil"
	"net/url"
	"slices"
	"strings"

	"github.com/cloakroom/cloakroom/proxy/reading"
)

// route is a Route made ready.
type route struct {
	Route
	prefix  string // Path without its last slash
	base    string // path of the upstream, without its last slash
	origin  string // of the upstream
	reverse *httputil.ReverseProxy

	class          int  // the same for routes that guard alike
	hasRivals      bool // whether another route differs from this one
	sharesUpstream bool // whether its upstream is that of one that guards differently and leads elsewhere
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

// Handler returns what answers requests for an escaped path: it passes them on by the route that
// takes the path. It returns nil if no route does. If a path can be read in more than one way and
// one of the readings is a route's, the handler refuses the request, so that the app's files never
// answer it.
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

// lookUp returns the route that takes an escaped path; nil if there is none, or the path's meaning
// depends on who reads it. ours reports whether some reading of the path is a route's.
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

// couldBeOurs reports whether a path that is no route's as it stands is one's by another reading.
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

// find returns the route with the longest prefix of an escaped path, nil when there is none. A
// prefix ends where a segment does: /api takes /api and /api/x, never /apix (PX5).
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

// target is where a path of this route goes: the upstream's path in the prefix's place, the rest
// byte for byte as it came.
func (rt *route) target(escaped string) string {
	to := rt.base + strings.TrimPrefix(escaped, rt.prefix)
	if to == "" {
		return "/"
	}
	return to
}

// setURL points an outgoing request at the upstream. Path and RawPath are set together, so that the
// escaped form that goes out is the one that was judged; the query goes byte for byte (PX12).
func (rt *route) setURL(out *url.URL, escaped, rawQuery string) {
	out.Scheme, out.Host = rt.Upstream.Scheme, rt.Upstream.Host
	out.RawPath = rt.target(escaped)
	out.Path, _ = url.PathUnescape(out.RawPath) // judged before: it unescapes
	out.RawQuery = rawQuery
	out.User, out.Fragment, out.RawFragment = nil, "", ""
}

// allows answers 405 with the methods that the route names.
func (rt *route) allows(w http.ResponseWriter, r *http.Request) error {
	if slices.Contains(rt.Methods, r.Method) {
		return nil
	}
	w.Header().Set("Allow", strings.Join(rt.Methods, ", "))
	return methodNotAllowed()
}
