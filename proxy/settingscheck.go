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
		return setting.NewFault("is no plain path", "write it without dot segments, double slashes, *, ;, ?, # and %; it matches everything below it by itself")
	}
	return nil
}

// parseUpstream takes where a route leads to.
func parseUpstream(s string) (*url.URL, *setting.Fault) {
	u, w := setting.ParseURL(s, "http://127.0.0.1:9000")
	if w == nil && !setting.IsPlainPath(u.EscapedPath()) {
		w = setting.NewFault("has a path that can be read in two ways", "write it without dot segments, double or encoded slashes, and ;")
	}
	return u, w
}

func checkMethod(s string) *setting.Fault {
	upper := strings.ToUpper(s)
	switch {
	case !setting.IsToken(s):
		return setting.NewFault("is not an HTTP method", "write names such as GET or POST")
	case upper == "CONNECT" || upper == "TRACE" || upper == "TRACK":
		return setting.NewFault("can't be "+upper, "take it out: such requests are always refused (RFC 9110 §9.3.6, §9.3.8)")
	case s != upper && slices.Contains(allMethods(), upper):
		return setting.NewFault("is not in capitals", "write "+upper+": names of methods are case-sensitive (RFC 9110 §9.1)")
	}
	return nil
}

// allMethods are the methods that people misspell.
func allMethods() []string { return append(defaultMethods(), "OPTIONS") }

// parseACR takes acr values as they stand in acr_values (OIDC Core §3.1.2.1).
func parseACR(s string) ([]string, *setting.Fault) {
	values := strings.Fields(s)
	if len(values) == 0 || len(s) > 512 {
		return nil, setting.NewFault("is no acr value, nor several with spaces between them", "write one that the provider knows, such as urn:example:mfa")
	}
	return values, nil
}

// CheckOptions are what a route is compared with beside the other routes.
type CheckOptions struct {
	BasePath      string // "" if nothing good is known of it
	Providers     []provider.Config
	CheckUpstream func(*url.URL) *setting.Fault // what is wrong with an upstream that leads back to this service; nil: nothing
}

// CheckAll checks the routes of a file, each and against each other, and fills in what follows from
// other values: the only provider is that of every route.
func CheckAll(c setting.Check, routes []Route, around CheckOptions) {
	good := true
	for i := range routes {
		item := c.In(fmt.Sprintf("[%d]", i))
		if !item.GivenAndValid("") {
			good = false
			continue
		}
		routes[i].check(item, around)
		if item.GivenAndValid("path") {
			checkTree(item, routes, i, around.BasePath)
		}
		good = good && item.GivenAndValid("path") && item.GivenAndValid("upstream")
		routes[i].warn(c, i)
	}
	if good {
		for _, text := range overlaps(routes) {
			c.Warn(text)
		}
	}
}

// warn tells of what is allowed and yet seldom meant.
func (r *Route) warn(c setting.Check, i int) {
	if r.Upstream != nil && r.Upstream.Scheme == "http" && !site.IsLoopback(r.Upstream.Hostname()) { // can be read on the way (MD4)
		c.Warn(fmt.Sprintf("routes[%d] (%s): access tokens go to the upstream in plain http beyond this machine; use https", i, r.Path))
	}
	if r.CSRF == CSRFNone && r.Token != TokenNone && r.Token != TokenClient {
		c.Warn(fmt.Sprintf("routes[%d] (%s): csrf is none, so that other sites' pages can make a user's browser call this API; write header or fetch-metadata", i, r.Path))
	}
}

func (r *Route) check(c setting.Check, around CheckOptions) {
	c.Require("path", "add path: /api/, or another prefix")
	if c.Require("upstream", "add upstream: and the address of the API, such as http://127.0.0.1:9000") && c.GivenAndValid("upstream") {
		if f := around.CheckUpstream(r.Upstream); f != nil {
			c.Report("upstream", f.What, f.Remedy)
		}
	}
	if c.GivenAndValid("methods") && len(r.Methods) == 0 {
		c.Report("methods", "is empty, so that every request would be refused", "name some, or take the line out for "+strings.Join(defaultMethods(), ", "))
	}
	if !c.Valid("token") {
		return
	}
	r.checkClientToken(c, around.Providers)
	if r.Require.Any() && r.Token != TokenUser {
		// Whoever lacks what is required would have only to log out.
		c.Report("require", "asks something of a user, and this route can do without one: its token is "+r.Token, "write token: user, or take it out")
	}
}

// checkTree looks at a path beside the other paths.
func checkTree(c setting.Check, routes []Route, i int, base string) {
	path := routes[i].Path
	if base != "" && site.Below(path, base) {
		c.Report("path", "lies in server.base_path, where cloakroom's own endpoints are", "choose another prefix, or another base_path")
	}
	for j := range i {
		if strings.TrimSuffix(routes[j].Path, "/") == strings.TrimSuffix(path, "/") { // both match the same paths
			c.Report("path", fmt.Sprintf("is that of routes[%d], too", j), "keep one of the two")
			return
		}
	}
}

// checkClientToken looks at what only a route with a client's own token has.
func (r *Route) checkClientToken(c setting.Check, providers []provider.Config) {
	if r.Token != TokenClient && r.Token != TokenUserOrClient {
		for _, name := range []string{"scopes", "provider"} {
			if c.Given(name) {
				c.Report(name, "is not used with token "+r.Token, "take it out, or write token: client or user_or_client; a user's token has the scopes of its provider")
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
		c.Report("provider", "is missing, and there are several providers", "write the id of the one that issues the client's token")
	case i < 0 && c.GivenAndValid("provider"):
		c.Report("provider", "is the id of no provider", "write the id of one of those under providers")
	}
	if i >= 0 && providers[i].ClientAuth == "none" {
		c.Report("token", "needs a client that authenticates, and client_auth of its provider is none", "give the client a secret or a key (RFC 6749 §4.4)")
	}
}
