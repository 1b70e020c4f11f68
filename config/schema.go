package config

import (
	"slices"

	"github.com/cloakroom/cloakroom/handlers"
	"github.com/cloakroom/cloakroom/listen"
	"github.com/cloakroom/cloakroom/provider"
	"github.com/cloakroom/cloakroom/proxy"
	"github.com/cloakroom/cloakroom/requestlog"
	"github.com/cloakroom/cloakroom/session"
	"github.com/cloakroom/cloakroom/session/renewal"
	"github.com/cloakroom/cloakroom/session/revocation"
	"github.com/cloakroom/cloakroom/session/store"
	"github.com/cloakroom/cloakroom/setting"
	"github.com/cloakroom/cloakroom/site"
)

// New returns a Config with every default, for a program to set further.
func New() *Config {
	return &Config{
		Site:       site.Defaults(),
		Listen:     listen.Defaults(),
		Log:        requestlog.Defaults(),
		Store:      store.Defaults(),
		Session:    session.Defaults(),
		Renewal:    renewal.Defaults(),
		Revocation: revocation.Defaults(),
		Proxy:      proxy.Defaults(),
		Handlers:   handlers.Defaults(),
	}
}

// schema describes every key of the file. It puts the settings of each package into a block.
func schema(c *Config) setting.Block {
	return setting.Block{
		{
			Name:  "server",
			Value: slices.Concat(c.Site.Settings(), c.Listen.Settings(), c.Proxy.BodySettings()),
			Doc:   "The public address of the service, and where it listens",
		},
		{Name: "admin", Value: c.Admin.Settings(), Doc: "The admin API"},
		{Name: "log", Value: c.Log.Settings(), Doc: "The log, on standard error"},
		{Name: "session", Value: c.sessionSettings(), Doc: "How long sessions last and where they are kept"},
		{
			Name: "providers",
			Value: setting.Blocks(&c.Providers, "a dash before each provider's id",
				provider.Defaults, (*provider.Config).Settings),
			Doc: "The OpenID providers at which users log in. With several, a page asks the user which one",
		},
		{
			Name: "routes",
			Value: setting.Blocks(&c.Proxy.Routes, "a dash before each route's path",
				proxy.DefaultRoute, (*proxy.Route).Settings),
			Doc: "APIs and their path prefixes. The longest matching prefix wins; all other paths are the app's",
		},
		{Name: "spa", Value: c.SPA.Settings(), Doc: "The app that browsers load"},
		{Name: "cors", Value: c.Site.CORSSettings(), Doc: "For an app on another origin of the same site"},
		{
			Name: "forward_auth", Value: c.Handlers.ForwardAuthSettings(),
			Doc: "For a reverse proxy that asks `/bff/auth` before it passes a request on",
		},
		{Name: "pages", Value: c.Pages.Settings(), Doc: "The service's own pages"},
	}
}

func (c *Config) sessionSettings() setting.Block {
	return slices.Concat(
		c.Store.Settings(), c.Keys.Settings(), c.Session.Settings(), c.Renewal.Settings(),
		c.Revocation.Settings(), c.Handlers.Settings(), c.Proxy.Settings(),
		setting.Block{{Name: "cookie", Value: c.Site.CookieSettings(), Doc: "The session cookie"}},
	)
}
