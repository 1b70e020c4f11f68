package config

import (
	"fmt"
	"slices"
	"strings"
)

func (r *reader) checkRoute(c *Config, i int) {
	route := &c.Routes[i]
	here := fmt.Sprintf("routes[%d]", i)
	key := func(name string) string { return here + "." + name }
	if !r.sound(here) {
		return
	}
	if r.need(key("path"), "add path: /api/, or another prefix") && r.sound(key("path")) {
		r.checkRouteInTree(c, i, key("path"))
	}
	if r.need(key("upstream"), "add upstream: and the address of the API, such as http://127.0.0.1:9000") {
		r.checkTarget(c, key("upstream"), route.Upstream)
	}
	if r.sound(key("methods")) && len(route.Methods) == 0 {
		r.wrongAt(key("methods"), &wrong{"is empty, so that every request would be refused", "name some, or take the line out for " + strings.Join(defaultMethods(), ", ")})
	}
	if r.well(key("token")) {
		r.checkClientToken(c, route, key)
		if route.Require.Any() && route.Token != "user" {
			// Whoever lacks what is required would have only to log out.
			r.wrongAt(key("require"), &wrong{"asks something of a user, and this route can do without one: its token is " + route.Token, "write token: user, or take it out"})
		}
	}
}

// checkACR takes acr values as they stand in acr_values (OIDC Core §3.1.2.1).
func checkACR(s string) *wrong {
	if len(strings.Fields(s)) == 0 || len(s) > 512 {
		return &wrong{"is no acr value, nor several with spaces between them", "write one that the provider knows, such as urn:example:mfa"}
	}
	return nil
}

// checkRouteInTree looks at a path beside the other paths.
func (r *reader) checkRouteInTree(c *Config, i int, path string) {
	route, base := c.Routes[i], c.Server.BasePath
	if r.well("server.base_path") && (route.Path == base || strings.HasPrefix(route.Path, base+"/")) {
		r.wrongAt(path, &wrong{"lies in server.base_path, where cloakroom's own endpoints are", "choose another prefix, or another base_path"})
	}
	for j := range i {
		if strings.TrimSuffix(c.Routes[j].Path, "/") == strings.TrimSuffix(route.Path, "/") { // both match the same paths
			r.wrongAt(path, &wrong{fmt.Sprintf("is that of routes[%d], too", j), "keep one of the two"})
			return
		}
	}
}

// checkClientToken looks at what only a route with a client's own token has.
func (r *reader) checkClientToken(c *Config, route *Route, key func(string) string) {
	if route.Token != "client" && route.Token != "user_or_client" {
		for _, name := range []string{"scopes", "provider"} {
			if r.given(key(name)) {
				r.wrongAt(key(name), &wrong{"is not used with token " + route.Token, "take it out, or write token: client or user_or_client; a user's token has the scopes of its provider"})
			}
		}
		return
	}
	given := r.given(key("provider"))
	if !given && len(c.Providers) == 1 {
		route.Provider = c.Providers[0].ID
	}
	i := slices.IndexFunc(c.Providers, func(p Provider) bool { return p.ID == route.Provider })
	switch {
	case !given && len(c.Providers) > 1:
		r.wrongAt(key("provider"), &wrong{"is missing, and there are several providers", "write the id of the one that issues the client's token"})
	case i < 0 && r.sound(key("provider")):
		r.wrongAt(key("provider"), &wrong{"is the id of no provider", "write the id of one of those under providers"})
	}
	if i >= 0 && c.Providers[i].ClientAuth == "none" {
		r.wrongAt(key("token"), &wrong{"needs a client that authenticates, and client_auth of its provider is none", "give the client a secret or a key (RFC 6749 §4.4)"})
	}
}
