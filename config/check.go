package config

import (
	"github.com/cloakroom/cloakroom/provider"
	"github.com/cloakroom/cloakroom/proxy"
	"github.com/cloakroom/cloakroom/session/store"
	"github.com/cloakroom/cloakroom/setting"
)

// check has each package look for missing keys and for values that contradict each other, and set
// what follows from other values. A value that already has a fault is not compared.
func (c *Config) check(state setting.State) {
	in := func(block string) setting.Check { return setting.Check{State: state, Path: block} }
	server, whole := in("server"), in("")
	c.Site.Check(server, in("cors"))
	c.Listen.Check(server)
	c.Admin.Check(in("admin"))

	sessions := in("session")
	c.Store.Check(sessions)
	c.Session.Check(sessions)
	c.Renewal.Check(sessions)
	c.Keys.Check(sessions, !sessions.Valid("store") || store.Embedded(c.Store.URL.Reveal()))

	const addProvider = "add at least one provider; see cloakroom.example.yaml"
	given := whole.Require("providers", addProvider) && whole.GivenAndValid("providers")
	if given && len(c.Providers) == 0 {
		whole.Report("providers", "is empty", addProvider)
	}
	plainHTTP := c.Site.PublicURL != nil && c.Site.PublicURL.Scheme != "https"
	provider.CheckAll(in("providers"), c.Providers, plainHTTP)
	around := proxy.CheckOptions{Providers: c.Providers, CheckUpstream: c.Listen.UpstreamCheck(server, c.Site.PublicURL)}
	if server.Valid("base_path") {
		around.BasePath = c.Site.BasePath
	}
	proxy.CheckAll(in("routes"), c.Proxy.Routes, around)
	c.SPA.Check(in("spa"), around.CheckUpstream, c.Site.PublicURL)
}
