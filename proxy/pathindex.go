package proxy

import (
	"cmp"
	"net/url"
	"reflect"
	"slices"
	"strings"

	"github.com/cloakroom/cloakroom/proxy/reading"
)

// guard returns the fields of a Route that protect the API: all but its path, upstream and
// timeouts. A new field is part of the guard unless it is removed here, so that two routes that
// differ in it are treated as different.
func (r Route) guard() Route {
	r.Path, r.Upstream, r.Timeout, r.IdleConnectionTimeout = "", nil, 0, 0
	r.Methods, r.Scopes = slices.Sorted(slices.Values(r.Methods)), slices.Sorted(slices.Values(r.Scopes))
	return r
}

// sameGuard reports whether two routes have the same guard.
func (r Route) sameGuard(other Route) bool { return reflect.DeepEqual(r.guard(), other.guard()) }

// distinctFrom reports whether two routes treat a request differently: they have different guards,
// or send it to different places.
func (rt *route) distinctFrom(other *route) bool {
	return rt.class != other.class || !rt.sameTarget(other)
}

// sameTarget reports whether a path below both routes has the same target through either.
func (rt *route) sameTarget(other *route) bool {
	if rt.origin != other.origin {
		return false
	}
	if inner, below := strings.CutPrefix(other.prefix, rt.prefix); below {
		return other.base == rt.base+inner
	}
	inner, below := strings.CutPrefix(rt.prefix, other.prefix)
	return below && rt.base == other.base+inner
}

// origin returns scheme, host and port of an upstream in a normalized form.
func origin(u *url.URL) string {
	port := cmp.Or(u.Port(), map[string]string{"http": "80", "https": "443"}[u.Scheme])
	return u.Scheme + "://" + strings.ToLower(strings.TrimSuffix(u.Hostname(), ".")) + ":" + port
}

// routesByPath holds the routes of each path prefix.
type routesByPath map[string][]*route

// lookUp returns the routes of the longest prefix of p that ends where a segment does.
func (by routesByPath) lookUp(p string) []*route {
	for {
		if routes, ok := by[p]; ok {
			return routes
		}
		i := strings.LastIndexByte(p, '/')
		if i < 0 {
			return nil
		}
		p = p[:i]
	}
}

// A pathIndex finds the routes of a path, both of this service and of each upstream.
type pathIndex struct {
	public routesByPath            // by the key of the route's path
	bases  map[string]routesByPath // by the upstream's origin, then by the key of its path
	exact  map[string]routesByPath // the same by the path itself
}

// newPathIndex returns the index of routes and sets their class, hasRivals and sharesUpstream.
func newPathIndex(routes []*route) pathIndex {
	a := pathIndex{public: routesByPath{}, bases: map[string]routesByPath{}, exact: map[string]routesByPath{}}
	for i, rt := range routes {
		rt.class = i
		if j := slices.IndexFunc(routes[:i], func(o *route) bool { return o.sameGuard(rt.Route) }); j >= 0 {
			rt.class = j
		}
	}
	for _, rt := range routes {
		if a.bases[rt.origin] == nil {
			a.bases[rt.origin], a.exact[rt.origin] = routesByPath{}, routesByPath{}
		}
		a.public.add(reading.Key(rt.prefix), rt)
		a.bases[rt.origin].add(reading.Key(rt.base), rt)
		a.exact[rt.origin].add(rt.base, rt)
		rt.hasRivals = slices.ContainsFunc(routes, rt.distinctFrom)
		rt.sharesUpstream = slices.ContainsFunc(routes, func(o *route) bool {
			return rt.origin == o.origin && rt.class != o.class && !rt.sameTarget(o)
		})
	}
	return a
}

func (by routesByPath) add(path string, rt *route) { by[path] = append(by[path], rt) }

// disputed reports whether some server may read a path of this route as a path of another, distinct
// route. Through a less strict route, `/api/%61dmin`, `/api/;/admin` or `/api/Admin` could reach
// what `/api/admin` guards (PX4). It checks the path as it came and, if several routes lead to one
// upstream, also the path that the upstream gets.
func (a *pathIndex) disputed(escaped string, rt *route) bool {
	if !rt.hasRivals {
		return false
	}
	if a.public.claimedByOther(escaped, rt, rt.distinctFrom) {
		return true
	}
	target := rt.target(escaped)
	return rt.sharesUpstream && a.bases[rt.origin].claimedByOther(target, rt, a.unintended(rt, target))
}

// unintended returns a function that reports whether a path of rt must not reach another route's
// part of the upstream. If the operator has configured rt so that the target, as it is written, is
// in that part, another spelling of the target gains nothing; overlaps warns of such routes.
func (a *pathIndex) unintended(rt *route, target string) func(*route) bool {
	intended := a.exact[rt.origin].lookUp(target)
	return func(other *route) bool {
		sameClass := func(o *route) bool { return o.class == other.class }
		return other.class != rt.class && !slices.ContainsFunc(intended, sameClass)
	}
}

// claimedByOther reports whether a reading of a path belongs to another route for which matters is
// true. Routes whose paths differ only in case have the same key; then the path itself decides
// (PX5).
func (by routesByPath) claimedByOther(escaped string, rt *route, matters func(*route) bool) bool {
	for key, ok := range reading.Of(escaped) {
		if !ok {
			return true
		}
		routes := by.lookUp(key)
		if !slices.Contains(routes, rt) && slices.ContainsFunc(routes, matters) {
			return true
		}
	}
	return false
}
