package config

import (
	"fmt"
	"slices"
	"strings"

	"github.com/cloakroom/cloakroom/setting"
)

func (r *reader) checkRoute(c *Config, i int) {
	route := &c.Routes[i]
	here := fmt.Sprintf("routes[%d]", i)
	key := func(name string) string { return here + "." + name }
	if !r.Sound(here) {
		return
	}
	if r.need(key("path"), "add path: /api/, or another prefix") && r.Sound(key("path")) {
		r.checkRouteInTree(c, i, key("path"))
	}
	if r.need(key("upstream"), "add upstream: and the address of the API, such as http://127.0.0.1:9000") {
		r.checkTarget(c, key("upstream"), route.Upstream)
	}
	if r.Sound(key("methods")) && len(route.Methods) == 0 {
		r.Report(key("methods"), *setting.Wrong("is empty, so that every request would be refused", "name some, or take the line out for "+strings.Join(defaultMethods(), ", ")))
	}
	if r.well(key("token")) {
		r.checkClientToken(c, route, key)
		if route.Require.Any() && route.Token != "user" {
			// Whoever lacks what is required would have only to log out.
			r.Report(key("require"), *setting.Wrong("asks something of a user, and this route can do without one: its token is "+route.Token, "write token: user, or take it out"))
		}
	}
}

// checkACR takes acr values as they stand in acr_values (OIDC Core §3.1.2.1).
func checkACR(s string) *setting.Fault {
	if len(strings.Fields(s)) == 0 || len(s) > 512 {
		return setting.Wrong("is no acr value, nor several with spaces between them", "write one that the provider knows, such as urn:example:mfa")
	}
	return nil
}

// checkRouteInTree looks at a path beside the other paths.
func (r *reader) checkRouteInTree(c *Config, i int, path string) {
	route, base := c.Routes[i], c.Server.BasePath
	if r.well("server.base_path") && (route.Path == base || strings.HasPrefix(route.Path, base+"/")) {
		r.Report(path, *setting.Wrong("lies in server.base_path, where cloakroom's own endpoints are", "choose another prefix, or another base_path"))
	}
	for j := range i {
		if strings.TrimSuffix(c.Routes[j].Path, "/") == strings.TrimSuffix(route.Path, "/") { // both match the same paths
			r.Report(path, *setting.Wrong(fmt.Sprintf("is that of routes[%d], too", j), "keep one of the two"))
			return
		}
	}
}

// checkClientToken looks at what only a route with a client's own token has.
func (r *reader) checkClientToken(c *Config, route *Route, key func(string) string) {
	if route.Token != "client" && route.Token != "user_or_client" {
		for _, name := range []string{"scopes", "provider"} {
			if r.Given(key(name)) {
				r.Report(key(name), *setting.Wrong("is not used with token "+route.Token, "take it out, or write token: client or user_or_client; a user's token has the scopes of its provider"))
			}
		}
		return
	}
	given := r.Given(key("provider"))
	if !given && len(c.Providers) == 1 {
		route.Provider = c.Providers[0].ID
	}
	i := slices.IndexFunc(c.Providers, func(p Provider) bool { return p.ID == route.Provider })
	switch {
	case !given && len(c.Providers) > 1:
		r.Report(key("provider"), *setting.Wrong("is missing, and there are several providers", "write the id of the one that issues the client's token"))
	case i < 0 && r.Sound(key("provider")):
		r.Report(key("provider"), *setting.Wrong("is the id of no provider", "write the id of one of those under providers"))
	}
	if i >= 0 && c.Providers[i].ClientAuth == "none" {
		r.Report(key("token"), *setting.Wrong("needs a client that authenticates, and client_auth of its provider is none", "give the client a secret or a key (RFC 6749 §4.4)"))
	}
}
