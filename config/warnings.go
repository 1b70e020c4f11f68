package config

import (
	"fmt"
	"net/url"

	"github.com/cloakroom/cloakroom/site"
)

// minAdminToken is how long an admin token should at least be: 16 characters of base64 are 96 bits.
const minAdminToken = 16

// Warnings are what is allowed and yet seldom meant, each with what to do: for the log at start, and
// for check. They hold no secret.
func (c *Config) Warnings() []string {
	var found []string
	warn := func(format string, args ...any) { found = append(found, fmt.Sprintf(format, args...)) }
	for _, p := range c.Server.TrustedProxies {
		if p.Bits() == 0 {
			warn("server.trusted_proxies holds %s: every caller can then claim any address; name your own proxies", p)
		}
	}
	if token := c.Admin.Token; !token.IsZero() && len(token.Reveal()) < minAdminToken {
		warn("admin.token is shorter than %d characters; take a random one, such as cloakroom keygen prints", minAdminToken)
	}
	if c.Session.Store.Equal("memory:") {
		warn("session.store is memory: every session and every revocation still to be delivered is lost at a restart; write sqlite:PATH")
	}
	if u, err := url.Parse(c.Session.Store.Reveal()); err == nil && u.Scheme == "redis" && !site.IsLoopback(u.Hostname()) {
		warn("session.store is reached in plain text beyond this machine: whoever is on the way can end sessions and learn the password; write rediss:")
	}
	for i, p := range c.Providers {
		if p.ClientAuth == "none" {
			warn("providers[%d] (%s): client_auth is none, so that anybody can use this client's codes and refresh tokens; give it a secret or a key", i, p.ID)
		}
	}
	for i, r := range c.Routes {
		if plainBeyondLoopback(r.Upstream) {
			warn("routes[%d] (%s): access tokens go to the upstream in plain http beyond this machine; use https", i, r.Path)
		}
		if r.CSRF == "none" && r.Token != "none" && r.Token != "client" {
			warn("routes[%d] (%s): csrf is none, so that other sites' pages can make a user's browser call this API; write header or fetch-metadata", i, r.Path)
		}
	}
	if c.SPA.DevServer != nil && !site.IsLoopback(c.Server.PublicURL.Hostname()) {
		warn("spa.dev_server is for the time of writing an app, and public_url is not this machine; build the app and name its folder in spa.dir")
	}
	return found
}

// plainBeyondLoopback reports whether what is sent to u can be read on the way (MD4).
func plainBeyondLoopback(u *url.URL) bool {
	return u != nil && u.Scheme == "http" && !site.IsLoopback(u.Hostname())
}
