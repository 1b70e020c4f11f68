package proxy

import (
	"fmt"
	"slices"
	"strings"

	"github.com/cloakroom/cloakroom/proxy/reading"
)

// overlaps returns a warning for each pair of routes with different guards that reach the same part
// of an upstream. The operator may intend that, so it is not a fault.
func overlaps(routes []Route) []string {
	all := make([]*route, 0, len(routes))
	for _, r := range routes {
		all = append(all, newRoute(r))
	}
	inOrder := slices.Clone(all)
	slices.SortStableFunc(all, longerFirst)
	newPathIndex(all)
	var found []string
	for i, rt := range inOrder {
		for j, other := range inOrder {
			if by := rt.reaches(other, all); by != "" {
				found = append(found, fmt.Sprintf("routes[%d] (%s) leads to %s%s too, by %s, "+
					"which routes[%d] (%s) guards differently: "+
					"whom the one refuses, the other may let in; make the two alike, or give %s an upstream that does not hold it",
					i, rt.Path, rt.origin, other.base, by, j, other.Path, rt.Path))
			}
			if i < j && rt.class != other.class && reading.Key(rt.prefix) == reading.Key(other.prefix) {
				found = append(found, fmt.Sprintf("routes[%d] (%s) and routes[%d] (%s) "+
					"differ in case or final dots alone, and guard differently: "+
					"an API that ignores that serves the same through either; make the two alike, or give one another path",
					i, rt.Path, j, other.Path))
			}
		}
	}
	return found
}

// reaches returns the path by which a route reaches the part of the upstream that another route
// with a different guard leads to, or "" if it does not. It is "" if the other route is open to
// everybody.
func (rt *route) reaches(other *route, longestFirst []*route) string {
	if rt.origin != other.origin || rt.class == other.class || other.open() {
		return ""
	}
	inner, below := strings.CutPrefix(other.base, rt.base)
	if !below || !strings.HasPrefix(inner, "/") || find(longestFirst, rt.prefix+inner) != rt {
		return ""
	}
	return rt.prefix + inner + "/"
}

// open reports whether a route accepts requests without a session.
func (rt *route) open() bool {
	return !rt.Require.Any() && (rt.Token == TokenNone || rt.Token == TokenOptional)
}
