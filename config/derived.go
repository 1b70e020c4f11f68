package config

import (
	"net/http"

	"github.com/cloakroom/cloakroom/provider"
)

// Origin is the one origin that browsers see, in the form that they serialize it (RFC 6454 §6.2):
// lower case, without a default port.
func (c *Config) Origin() string { return c.Server.PublicURL.String() }

// Secure reports whether browsers come by https. Cookies then bear Secure and a name prefix.
func (c *Config) Secure() bool { return c.Server.PublicURL.Scheme == "https" }

// StrictCookie reports whether the session cookie is SameSite=Strict, and so does not come with the
// navigation that brings a user back from the provider.
func (c *Config) StrictCookie() bool { return c.Session.Cookie.SameSite == http.SameSiteStrictMode }

// SessionCookieName is the session cookie's name with its prefix. Browsers let nobody but this very
// host, by https and by HTTP, set a cookie of the prefixed name; on http no prefix can be had.
func (c *Config) SessionCookieName() string {
	if c.Secure() {
		return "__Host-Http-" + c.Session.Cookie.Name
	}
	return c.Session.Cookie.Name
}

// RedirectURI is where p sends browsers back to after a login.
func (c *Config) RedirectURI(p provider.Config) string { return c.endpoint("callback", p) }

// PostLogoutRedirectURI is where p sends browsers back to after a logout.
func (c *Config) PostLogoutRedirectURI(p provider.Config) string {
	return c.endpoint("logout/callback", p)
}

// BackchannelLogoutURI is where p posts its logout tokens.
func (c *Config) BackchannelLogoutURI(p provider.Config) string { return c.endpoint("backchannel", p) }

// FrontchannelLogoutURI is what p puts in a frame to log its user out here.
func (c *Config) FrontchannelLogoutURI(p provider.Config) string {
	return c.endpoint("frontchannel", p)
}

// JWKSURI is where p finds the public keys with which this client signs.
func (c *Config) JWKSURI(p provider.Config) string { return c.endpoint("jwks", p) }

// endpoint is built from the file alone: nothing that a request says can move it (LS6).
func (c *Config) endpoint(name string, p provider.Config) string {
	return c.Origin() + c.Server.BasePath + "/" + name + "/" + p.ID
}
