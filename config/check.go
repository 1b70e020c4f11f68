package config

import (
	"github.com/cloakroom/cloakroom/provider"
	"github.com/cloakroom/cloakroom/proxy"
	"github.com/cloakroom/cloakroom/session/store"
	"github.com/cloakroom/cloakroom/setting"
)

// check has each package look for what is missing and for values that contradict each other, and fill
// in what follows from other values. A value that has a fault of its own is compared with nothing.
func (r *reader) check(c *Config) {
	in := func(block string) setting.Check { return setting.Check{State: r, Path: block} }
	server, whole := in("server"), in("")
	c.Site.Check(server, in("cors"))
	c.Listen.Check(server)
	c.Admin.Check(in("admin"))

	sessions := in("session")
	c.Store.Check(sessions)
	c.Session.Check(sessions)
	c.Renewal.Check(sessions)
	c.Keys.Check(sessions, !sessions.Valid("store") || store.Embedded(c.Store.URL.Reveal()))

	if whole.Require("providers", "add at least one provider; see cloakroom.example.yaml") && len(c.Providers) == 0 && whole.GivenAndValid("providers") {
		whole.Report("providers", "is empty", "add at least one provider; see cloakroom.example.yaml")
	}
	provider.CheckAll(in("providers"), c.Providers, c.Site.PublicURL != nil && c.Site.PublicURL.Scheme != "https")
	around := proxy.Surroundings{Providers: c.Providers, Loop: c.Listen.Loop(server, c.Site.PublicURL)}
	if server.Valid("base_path") {
		around.BasePath = c.Site.BasePath
	}
	proxy.CheckAll(in("routes"), c.Proxy.Routes, around)
	c.SPA.Check(in("spa"), around.Loop, c.Site.PublicURL)
}
