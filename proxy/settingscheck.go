package proxy

import (
	"fmt"
	"net/url"
	"regexp"
	"slices"
	"strings"

	"github.com/cloakroom/cloakroom/provider"
	"github.com/cloakroom/cloakroom/setting"
	"github.com/cloakroom/cloakroom/site"
)

var routePath = regexp.MustCompile(`^/[A-Za-z0-9/._~!$&'()+,=:@-]*$`)

func checkPath(s string) *setting.Fault {
	switch {
	case !strings.HasPrefix(s, "/"):
		return setting.NewFault("does not begin with a slash", "write the prefix of the paths, such as /api/")
	case !routePath.MatchString(s) || !setting.IsPlainPath(s):
		return setting.NewFault("is not a plain path", "write it without dot segments, double slashes, "+
			"*, ;, ?, # and %; it matches everything below it by itself")
	}
	return nil
}

// parseUpstream accepts the address of an API.
func parseUpstream(s string) (*url.URL, *setting.Fault) {
	u, f := setting.ParseURL(s, "http://127.0.0.1:9000")
	if f == nil && !setting.IsPlainPath(u.EscapedPath()) {
		f = setting.NewFault("has a path that can be read in two ways",
			"write it without dot segments, double or encoded slashes, and ;")
	}
	return u, f
}

func checkMethod(s string) *setting.Fault {
	upper := strings.ToUpper(s)
	switch {
	case !setting.IsToken(s):
		return setting.NewFault("is not an HTTP method", "write names such as GET or POST")
	case upper == "CONNECT" || upper == "TRACE" || upper == "TRACK":
		return setting.NewFault("can't be "+upper,
			"take it out: such requests are always refused (RFC 9110 §9.3.6, §9.3.8)")
	case s != upper && slices.Contains(commonMethods(), upper):
		return setting.NewFault("is not in capitals",
			"write "+upper+": names of methods are case-sensitive (RFC 9110 §9.1)")
	}
	return nil
}

// commonMethods are the methods of which other spellings are surely mistakes.
func commonMethods() []string { return append(defaultMethods(), "OPTIONS") }

// acrText is the text of acr values. A list of nothing but an empty one is a blank, which parseACR
// refuses: "" would mean that nothing is required, while the route would require a login without
// acr.
func acrText(values []string) string {
	text := strings.Join(values, " ")
	if text == "" && len(values) > 0 {
		return " "
	}
	return text
}

// parseACR accepts the value of acr_values (OIDC Core §3.1.2.1).
func parseACR(s string) ([]string, *setting.Fault) {
	values := strings.Fields(s)
	if len(values) == 0 || len(s) > 512 {
		return nil, setting.NewFault("is not a list of acr values separated by spaces",
			"write one that the provider knows, such as urn:example:mfa")
	}
	return values, nil
}

// CheckOptions are the other settings with which routes are compared.
type CheckOptions struct {
	BasePath      string // "" if it is not valid
	Providers     []provider.Config
	CheckUpstream func(*url.URL) *setting.Fault // refuses an upstream that is this service itself
}

// CheckAll checks the routes of a file, alone and against each other. If there is only one
// provider, it becomes that of every route.
func CheckAll(c setting.Check, routes []Route, o CheckOptions) {
	comparable := true
	for i := range routes {
		item := c.In(fmt.Sprintf("[%d]", i))
		if !item.GivenAndValid("") {
			comparable = false
			continue
		}
		routes[i].check(item, o)
		if item.GivenAndValid("path") {
			checkTree(item, routes, i, o.BasePath)
		}
		comparable = comparable && item.GivenAndValid("path") && item.GivenAndValid("upstream")
		routes[i].warn(c, i)
	}
	if comparable {
		for _, text := range overlaps(routes) {
			c.Warn(text)
		}
	}
}

// warn reports settings that are allowed but probably mistakes.
func (r *Route) warn(c setting.Check, i int) {
	// Plain http can be read on the network (MD4).
	plain := r.Upstream != nil && r.Upstream.Scheme == "http"
	if plain && !site.IsLoopback(r.Upstream.Hostname()) {
		c.Warn(fmt.Sprintf("routes[%d] (%s): access tokens go to the upstream in plain http "+
			"beyond this machine; use https", i, r.Path))
	}
	if r.CSRF == CSRFNone && r.Token != TokenNone && r.Token != TokenClient {
		c.Warn(fmt.Sprintf("routes[%d] (%s): csrf is none, so that other sites' pages can make "+
			"a user's browser call this API; write header or fetch-metadata", i, r.Path))
	}
}

func (r *Route) check(c setting.Check, o CheckOptions) {
	const addUpstream = "add upstream: and the address of the API, such as http://127.0.0.1:9000"
	c.Require("path", "add path: /api/, or another prefix")
	if c.Require("upstream", addUpstream) && c.GivenAndValid("upstream") {
		if f := o.CheckUpstream(r.Upstream); f != nil {
			c.Report("upstream", f.What, f.Remedy)
		}
	}
	if c.GivenAndValid("methods") && len(r.Methods) == 0 {
		c.Report("methods", "is empty, so that every request would be refused",
			"name some, or take the line out for "+strings.Join(defaultMethods(), ", "))
	}
	if !c.Valid("token") {
		return
	}
	r.checkClientToken(c, o.Providers)
	if r.Require.Any() && r.Token != TokenUser {
		// Such a route accepts requests without a session, so a user who does not meet the
		// requirements could evade them by logging out.
		c.Report("require", "needs a user, and this route works without one: its token is "+r.Token,
			"write token: user, or take it out")
	}
}

// checkTree compares a path with the base path and with the paths of the routes before it.
func checkTree(c setting.Check, routes []Route, i int, base string) {
	path := routes[i].Path
	if base != "" && site.Below(path, base) {
		c.Report("path", "is below server.base_path, where cloakroom's own endpoints are",
			"choose another prefix, or another base_path")
	}
	for j := range i {
		if strings.TrimSuffix(routes[j].Path, "/") == strings.TrimSuffix(path, "/") { // both match the same paths
			c.Report("path", fmt.Sprintf("is the path of routes[%d], too", j), "keep one of the two")
			return
		}
	}
}

// checkClientToken checks scopes and provider, which only a route with a client token uses.
func (r *Route) checkClientToken(c setting.Check, providers []provider.Config) {
	if r.Token != TokenClient && r.Token != TokenUserOrClient {
		for _, name := range []string{"scopes", "provider"} {
			if c.Given(name) {
				c.Report(name, "is not used with token "+r.Token, "take it out, or write token: client or "+
					"user_or_client; a user's token has the scopes of its provider")
			}
		}
		return
	}
	given := c.Given("provider")
	if !given && len(providers) == 1 {
		r.Provider = providers[0].ID
	}
	i := slices.IndexFunc(providers, func(p provider.Config) bool { return p.ID == r.Provider })
	switch {
	case !given && len(providers) > 1:
		c.Report("provider", "is missing, and there are several providers",
			"write the id of the one that issues the client's token")
	case i < 0 && c.GivenAndValid("provider"):
		c.Report("provider", "is not the id of a provider", "write the id of one of those under providers")
	}
	if i >= 0 && providers[i].ClientAuth == "none" {
		c.Report("token", "needs a client that authenticates, and client_auth of its provider is none",
			"give the client a secret or a key (RFC 6749 §4.4)")
	}
}
