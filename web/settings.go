package web

import (
	"net/url"
	"strings"

	"github.com/cloakroom/cloakroom/setting"
	"github.com/cloakroom/cloakroom/site"
)

// Settings returns the keys of the app.
func (o *Options) Settings() setting.Block {
	return setting.Block{
		{
			Name: "dir", Value: setting.String(&o.Dir),
			Doc:     "The folder of the built app. Its `index.html` answers navigations to paths without a file",
			Example: []string{"./dist"},
		},
		{
			Name: "dev_server", Value: setting.Parsed(&o.DevServer, parseDevServer, setting.URLText),
			Doc: "A development server that serves the app, such as `http://localhost:5173`; " +
				"scheme and host alone",
			Example: []string{"# http://localhost:5173"},
		},
		{
			Name: "csp", Value: setting.Matching(&o.CSP, checkCSP),
			Doc:     "The `Content-Security-Policy` of the app's pages, in ASCII. Only with `spa.dir`",
			Default: "`base-uri 'self'; object-src 'none'; frame-ancestors 'none'`",
			Example: []string{"\"default-src 'self'; frame-ancestors 'none'\""},
		},
	}
}

// parseDevServer accepts the address of a development server.
func parseDevServer(s string) (*url.URL, *setting.Fault) {
	u, f := setting.ParseURL(s, "http://localhost:5173")
	if f == nil && strings.Trim(u.Path, "/") != "" {
		f = setting.NewFault("has a path", "write scheme and host alone: paths are passed on as they come")
	}
	return u, f
}

// checkCSP accepts a text that a header field can hold.
func checkCSP(s string) *setting.Fault {
	if strings.IndexFunc(s, func(r rune) bool { return r < ' ' || r > '~' }) >= 0 {
		return setting.NewFault("holds a character that a header can't", "write ASCII; fold several lines with >-")
	}
	return nil
}

// Check compares the values. The function checkUpstream refuses a development server that is this
// service itself; public is the public origin, or nil if that is not known.
func (o *Options) Check(
	c setting.Check, checkUpstream func(*url.URL) *setting.Fault, public *url.URL,
) {
	if c.Given("dir") && c.Given("dev_server") {
		c.Report("dev_server", "contradicts spa.dir",
			"keep one: dir for the built app, dev_server while it is being written")
	}
	if c.Given("csp") && c.Given("dev_server") && !c.Given("dir") {
		c.Report("csp", "has no effect with spa.dev_server",
			"set it together with spa.dir: a development server sends headers of its own")
	}
	if c.GivenAndValid("dev_server") {
		if f := checkUpstream(o.DevServer); f != nil {
			c.Report("dev_server", f.What, f.Remedy)
		}
	}
	if o.DevServer != nil && public != nil && !site.IsLoopback(public.Hostname()) {
		c.Warn("spa.dev_server is for the time of writing an app, and public_url is not this " +
			"machine; build the app and name its folder in spa.dir")
	}
}
