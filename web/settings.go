package web

import (
	"net/url"
	"strings"

	"github.com/cloakroom/cloakroom/setting"
	"github.com/cloakroom/cloakroom/site"
)

// Settings are the keys of the app.
func (o *Options) Settings() setting.Block {
	return setting.Block{
		{
			Name: "dir", Value: setting.String(&o.Dir),
			Doc:     "The built app's folder: its files, and its `index.html` for paths that are no file",
			Example: []string{"./dist"},
		},
		{
			Name: "dev_server", Value: setting.Parsed(&o.DevServer, parseDevServer, setting.URLText),
			Doc: "A development server that everything is passed on to, such as `http://localhost:5173`; " +
				"scheme and host alone",
			Example: []string{"# http://localhost:5173"},
		},
		{
			Name: "csp", Value: setting.Matching(&o.CSP, checkCSP),
			Doc:     "`Content-Security-Policy` of the app's pages; ASCII. Only with `spa.dir`",
			Default: "`base-uri 'self'; object-src 'none'; frame-ancestors 'none'`",
			Example: []string{"\"default-src 'self'; frame-ancestors 'none'\""},
		},
	}
}

// parseDevServer takes where the app's development server listens.
func parseDevServer(s string) (*url.URL, *setting.Fault) {
	u, f := setting.ParseURL(s, "http://localhost:5173")
	if f == nil && strings.Trim(u.Path, "/") != "" {
		f = setting.NewFault("has a path", "write scheme and host alone: paths are passed on as they come")
	}
	return u, f
}

// checkCSP bounds what goes into a header as it is.
func checkCSP(s string) *setting.Fault {
	if strings.IndexFunc(s, func(r rune) bool { return r < ' ' || r > '~' }) >= 0 {
		return setting.NewFault("holds a character that a header can't", "write ASCII; fold several lines with >-")
	}
	return nil
}

// Check compares the values. loop is what is wrong with a development server's address that leads
// back to this service; public is where browsers see the app, nil if that is not known.
func (o *Options) Check(c setting.Check, loop func(*url.URL) *setting.Fault, public *url.URL) {
	if c.Given("dir") && c.Given("dev_server") {
		c.Report("dev_server", "contradicts spa.dir", "keep one: dir for the built app, dev_server while it is being written")
	}
	if c.Given("csp") && c.Given("dev_server") && !c.Given("dir") {
		c.Report("csp", "has no effect with spa.dev_server", "set it together with spa.dir: a development server sends headers of its own")
	}
	if c.GivenAndValid("dev_server") {
		if f := loop(o.DevServer); f != nil {
			c.Report("dev_server", f.What, f.Remedy)
		}
	}
	if o.DevServer != nil && public != nil && !site.IsLoopback(public.Hostname()) {
		c.Warn("spa.dev_server is for the time of writing an app, and public_url is not this machine; build the app and name its folder in spa.dir")
	}
}
