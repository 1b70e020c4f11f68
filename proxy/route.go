package proxy

import (
	"cmp"
	"net/http"
	"net/http/httputil"
	"net/url"
	"slices"
	"strings"
)

// route is a Route made ready.
type route struct {
	Route
	prefix  string // Path without its last slash
	base    string // path of the upstream, without its last slash
	reverse *httputil.ReverseProxy
}

func (p *Proxy) newRoutes() []*route {
	routes := make([]*route, 0, len(p.Options.Routes))
	for _, r := range p.Options.Routes {
		rt := &route{Route: r, prefix: strings.TrimSuffix(r.Path, "/"), base: strings.TrimSuffix(r.Upstream.EscapedPath(), "/")}
		rt.reverse = p.newReverse(rt)
		routes = append(routes, rt)
	}
	slices.SortStableFunc(routes, func(a, b *route) int { return cmp.Compare(len(b.prefix), len(a.prefix)) })
	return routes
}

// find returns the route with the longest prefix of an escaped path, nil when there is none. A
// prefix ends where a segment does: /api takes /api and /api/x, never /apix (PX5).
func (p *Proxy) find(escaped string) *route {
	for _, rt := range p.routes {
		rest, ok := strings.CutPrefix(escaped, rt.prefix)
		if ok && (rest == "" || rest[0] == '/') {
			return rt
		}
	}
	return nil
}

// disputed reports whether an API that decodes more than we do, or knows path parameters (`;x`), takes a
// path of this route for another route's. The two may differ in what they demand: sent on through the looser one,
// `/api/%61dmin` would get to what `/api/admin` guards (PX4). Routes are told apart by case (PX5), but where one
// requires something of the user, an API that ignores case counts, too.
func (p *Proxy) disputed(escaped string, rt *route) bool {
	plain := escaped
	if strings.ContainsAny(escaped, "%;") {
		plain = withoutParameters(decodedFully(escaped))
	}
	for _, other := range p.routes {
		if other.mayMean(plain) {
			return !strings.EqualFold(other.prefix, rt.prefix)
		}
	}
	return false
}

// mayMean reports whether an API may take a decoded path for this route's.
func (rt *route) mayMean(plain string) bool {
	n := len(rt.prefix)
	if len(plain) < n || len(plain) > n && plain[n] != '/' {
		return false
	}
	return plain[:n] == rt.prefix || rt.Require != nil && strings.EqualFold(plain[:n], rt.prefix)
}

func withoutParameters(p string) string {
	segments := strings.Split(p, "/")
	for i, segment := range segments {
		segments[i], _, _ = strings.Cut(segment, ";")
	}
	return strings.Join(segments, "/")
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

// ambiguous reports whether the meaning of an escaped path depends on who decodes it: the router
// here, the upstream's framework, or a cache between (PX4). Such a path is refused, not mended.
func ambiguous(escaped string) bool {
	if escaped == "" || escaped[0] != '/' || strings.Contains(escaped, "//") {
		return true
	}
	plain := escaped
	for range 3 {
		if hidden(plain) {
			return true
		}
		next, err := url.PathUnescape(plain)
		if err != nil {
			return plain == escaped // what does not unescape at first is no path; later it is plain text
		}
		if next == plain {
			return false
		}
		if strings.Count(next, "/") != strings.Count(plain, "/") {
			return true // a slash that only some of them see
		}
		plain = next
	}
	return true // encoded over and over
}

// hidden looks for what changes its meaning: control characters, backslashes, overlong UTF-8 and dot
// segments, with path parameters (`..;`) or without.
func hidden(p string) bool {
	for i := range len(p) {
		if c := p[i]; c < ' ' || c == 0x7f || c == '\\' {
			return true
		}
	}
	if strings.ToValidUTF8(p, "") != p {
		return true
	}
	for segment := range strings.SplitSeq(p, "/") {
		name, _, _ := strings.Cut(segment, ";")
		if name == "." || name == ".." {
			return true
		}
	}
	return false
}

// decodedFully is what the most eager decoder makes of a path, to see whose it would be.
func decodedFully(escaped string) string {
	for range 3 {
		next, err := url.PathUnescape(escaped)
		if err != nil || next == escaped {
			break
		}
		escaped = next
	}
	return escaped
}
