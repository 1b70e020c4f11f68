package proxy

import (
	"cmp"
	"net/url"
	"reflect"
	"slices"
	"strings"

	"github.com/cloakroom/cloakroom/proxy/reading"
)

// guard is what a route demands of a request and does for it: all of the Route but where it is and
// how long it may take. A field that is new guards until it is taken out here, so that two routes
// that differ in it are kept apart.
func (r Route) guard() Route {
	r.Path, r.Upstream, r.Timeout, r.IdleConnectionTimeout = "", nil, 0, 0
	r.Methods, r.Scopes = slices.Sorted(slices.Values(r.Methods)), slices.Sorted(slices.Values(r.Scopes))
	return r
}

// sameGuard reports whether two routes demand the same.
func (r Route) sameGuard(other Route) bool { return reflect.DeepEqual(r.guard(), other.guard()) }

// differs reports whether it matters which of two routes takes a request: they guard differently, or
// lead elsewhere.
func (rt *route) distinctFrom(other *route) bool {
	return rt.class != other.class || !rt.sameTarget(other)
}

// sameTarget reports whether a path that both could take reaches the same place through either.
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

// origin is scheme, host and port of an upstream, each in one spelling.
func origin(u *url.URL) string {
	port := cmp.Or(u.Port(), map[string]string{"http": "80", "https": "443"}[u.Scheme])
	return u.Scheme + "://" + strings.ToLower(strings.TrimSuffix(u.Hostname(), ".")) + ":" + port
}

// routesByPath are paths and the routes that each belongs to, with all that is below it.
type routesByPath map[string][]*route

// whose are the routes of the longest of the routesByPath that p is, or is below.
func (of routesByPath) lookUp(p string) []*route {
	for {
		if routes, ok := of[p]; ok {
			return routes
		}
		i := strings.LastIndexByte(p, '/')
		if i < 0 {
			return nil
		}
		p = p[:i]
	}
}

// An pathIndex knows whose every path is: here, and at each upstream.
type pathIndex struct {
	public routesByPath            // by the key of the route's path
	bases  map[string]routesByPath // by the upstream's origin, then by the key of its path
	exact  map[string]routesByPath // the same by its path as it stands
}

// survey makes routes ready to be told apart.
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

func (of routesByPath) add(place string, rt *route) { of[place] = append(of[place], rt) }

// disputed reports whether some program may take a path of this route for one of another route that
// differs from it: sent on through the looser one, `/api/%61dmin`, `/api/;/admin` or `/api/Admin` would
// get to what `/api/admin` guards (PX4). It judges the path as it comes, and as the upstream gets it
// where several routes lead into one upstream.
func (a *pathIndex) disputed(escaped string, rt *route) bool {
	if !rt.hasRivals {
		return false
	}
	return a.public.claimedByOther(escaped, rt, rt.distinctFrom) ||
		rt.sharesUpstream && a.bases[rt.origin].claimedByOther(rt.target(escaped), rt, a.unintended(rt, rt.target(escaped)))
}

// beyond returns whether a route at this upstream guards what the path, as it stands, does not reach:
// an operator who leads a looser route onto another's ground means it (overlaps warns of it), so who spells
// that path otherwise gains nothing.
func (a *pathIndex) unintended(rt *route, target string) func(*route) bool {
	onPurpose := a.exact[rt.origin].lookUp(target)
	return func(other *route) bool {
		return other.class != rt.class && !slices.ContainsFunc(onPurpose, func(o *route) bool { return o.class == other.class })
	}
}

// dispute reports whether a reading of a path belongs to another route here that matters. Routes whose
// paths differ by case alone are told apart by it (PX5): the operator wrote both.
func (of routesByPath) claimedByOther(escaped string, rt *route, matters func(*route) bool) bool {
	for key, ok := range reading.Of(escaped) {
		if !ok {
			return true
		}
		if routes := of.lookUp(key); !slices.Contains(routes, rt) && slices.ContainsFunc(routes, matters) {
			return true
		}
	}
	return false
}
