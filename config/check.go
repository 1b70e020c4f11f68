package config

import (
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/net/publicsuffix"

	"github.com/cloakroom/cloakroom/keys"
	"github.com/cloakroom/cloakroom/provider"
	"github.com/cloakroom/cloakroom/proxy"
	"github.com/cloakroom/cloakroom/setting"
	"github.com/cloakroom/cloakroom/site"
)

// check looks for what is missing and for values that contradict each other, and fills in what
// follows from other values. It says nothing about a value that has a fault of its own.
func (r *reader) check(c *Config) {
	r.need("server.public_url", "add public_url: https://app.example.com, the origin that browsers see")
	r.checkListeners(c)
	r.checkSession(c)
	if r.need("providers", "add at least one provider; see cloakroom.example.yaml") && len(c.Providers) == 0 && r.Sound("providers") {
		r.Report("providers", *setting.Wrong("is empty", "add at least one provider; see cloakroom.example.yaml"))
	}
	provider.CheckAll(setting.Check{State: r, Path: "providers"}, c.Providers, c.Server.PublicURL != nil && c.Server.PublicURL.Scheme != "https")
	around := proxy.Surroundings{Providers: c.Providers, Loop: func(u *url.URL) *setting.Fault { return r.loop(c, u) }}
	if r.well("server.base_path") {
		around.BasePath = c.Server.BasePath
	}
	proxy.CheckAll(setting.Check{State: r, Path: "routes"}, c.Routes, around)
	r.checkSPA(c)
	r.checkCORS(c)
}

// checkAllowedOrigin takes an origin in the one form that a browser sends (RFC 6454 §6.2).
func checkAllowedOrigin(s string) *setting.Fault {
	u, w := setting.ParseURL(s, "https://spa.example.com")
	if w != nil {
		return w
	}
	if origin := u.Scheme + "://" + u.Host; s != origin {
		return setting.Wrong("is not written as browsers send an origin", "write "+origin)
	}
	return nil
}

// minProxySecret is 32 characters of base64: 192 bits.
const minProxySecret = 32

func checkProxySecret(s string) *setting.Fault {
	if len(s) < minProxySecret || strings.Trim(s, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_+/=.") != "" {
		return setting.Wrong("is shorter than 32 characters, or has some that a header can't hold", "take a random one, such as cloakroom keygen prints: who knows it gets users' access tokens")
	}
	return nil
}

// checkCORS refuses origins to whose pages no browser would send the session cookie.
func (r *reader) checkCORS(c *Config) {
	if c.Server.PublicURL == nil || !r.Sound("server.public_url") {
		return
	}
	for i, origin := range c.CORS.AllowedOrigins {
		at := fmt.Sprintf("cors.allowed_origins[%d]", i)
		u, err := url.Parse(origin)
		if err != nil || !r.Sound(at) {
			continue
		}
		switch {
		case origin == c.Server.PublicURL.String():
			r.Report(at, *setting.Wrong("is the public origin itself", "take it out: its pages may call anyway"))
		case u.Scheme != c.Server.PublicURL.Scheme || !ofOneSite(u.Hostname(), c.Server.PublicURL.Hostname()):
			r.Report(at, *setting.Wrong("is of another site than server.public_url", "let the app live under the same registrable domain and scheme: browsers send the session cookie (SameSite) to no other"))
		}
	}
}

// ofOneSite reports whether two hosts are of one site (HTML Living Standard §7.1.1.2).
func ofOneSite(a, b string) bool {
	if a == b {
		return true
	}
	siteA, errA := publicsuffix.EffectiveTLDPlusOne(a)
	siteB, errB := publicsuffix.EffectiveTLDPlusOne(b)
	return errA == nil && errB == nil && siteA == siteB
}

// need reports a missing key, unless one beside it was misspelt, which is a fault already.
func (r *reader) need(path, right string) bool {
	if !r.Given(path) && !r.meant[path] {
		r.Report(path, *setting.Wrong("is missing", right))
	}
	return r.Given(path)
}

func (r *reader) checkListeners(c *Config) {
	const admin = "server.admin_listen"
	if c.Server.AdminListen == "" || !r.well(admin) || !r.well("server.listen") {
		return
	}
	host, port, _ := net.SplitHostPort(c.Server.Listen) // checkAddress has read it
	if listensOn(c.Server.AdminListen, host, port) {
		r.Report(r.either(admin, "server.listen"), *setting.Wrong("can't be served: server.listen and server.admin_listen are the same port", "give them a port each: metrics and the admin API must never answer where browsers come"))
	}
}

// well reports whether there is no fault in the value at a path, be it the file's or the default.
func (r *reader) well(path string) bool { return !r.Given(path) || r.Sound(path) }

// either returns the first of two paths that the file gives a value to.
func (r *reader) either(a, b string) string {
	if r.Given(a) {
		return a
	}
	return b
}

// listensOn reports whether whoever dials host:port reaches a listener at address. Port 0 is any free
// one, which can't be known here.
func listensOn(address, host, port string) bool {
	at, atPort, _ := net.SplitHostPort(address) // checkAddress has read it
	if n, err := strconv.Atoi(port); err != nil || n == 0 || strings.TrimLeft(port, "0") != strings.TrimLeft(atPort, "0") {
		return false
	}
	if strings.EqualFold(at, host) || isWildcard(at) && isWildcard(host) {
		return true
	}
	switch {
	case isWildcard(at):
		return site.IsLoopback(host)
	case isWildcard(host):
		return true // as an upstream it is this machine; as a listener it takes every address
	}
	a, errA := netip.ParseAddr(at)
	b, errB := netip.ParseAddr(host)
	if errA == nil && errB == nil {
		return a.Unmap() == b.Unmap()
	}
	return site.IsLoopback(at) && site.IsLoopback(host) // localhost is 127.0.0.1 or ::1
}

func isWildcard(host string) bool {
	addr, err := netip.ParseAddr(host)
	return host == "" || err == nil && addr.Unmap().IsUnspecified()
}

// loop refuses to lead requests back into cloakroom: to the admin listener, which must not be
// reachable through a route (LG9), or round in a circle.
func (r *reader) loop(c *Config, u *url.URL) *setting.Fault {
	port := u.Port()
	if port == "" {
		port = setting.DefaultPort(u.Scheme)
	}
	switch {
	case c.Server.AdminListen != "" && r.well("server.admin_listen") && listensOn(c.Server.AdminListen, u.Hostname(), port):
		return setting.Wrong("leads to server.admin_listen", "name the API's own address: the admin listener must not be reachable from a browser")
	case r.well("server.listen") && listensOn(c.Server.Listen, u.Hostname(), port),
		c.Server.PublicURL != nil && u.Scheme == c.Server.PublicURL.Scheme && u.Host == c.Server.PublicURL.Host:
		return setting.Wrong("leads back to cloakroom itself", "name the API's own address, not the one that browsers see")
	}
	return nil
}

// minRenewalLease is what one token request and its commit can take when all goes well.
const minRenewalLease = time.Second

func (r *reader) checkSession(c *Config) {
	s := &c.Session
	const idle = "session.idle_timeout"
	if r.well("session.lifetime") && r.well(idle) && s.IdleTimeout > s.Lifetime {
		if r.Given(idle) {
			r.Report(idle, *setting.Wrong("is longer than session.lifetime", "shorten it, or write 0 for none"))
		}
		s.IdleTimeout = s.Lifetime // the default must not contradict a short lifetime
	}
	if r.well("session.store") && len(s.Keys) == 0 && !isEmbedded(s.Store.Reveal()) {
		r.Report("session.keys", *setting.Wrong("is missing", "print one with cloakroom keygen, and give every replica the same: only with sqlite: and memory: can it be left out"))
	}
	if r.Given("session.outage_limit") && r.well("session.on_outage") && s.OnOutage != "serve_cached" {
		r.Report("session.outage_limit", *setting.Wrong("has no effect without session.on_outage: serve_cached", "add on_outage: serve_cached, or take it out"))
	}
	if r.well("session.on_outage") && s.OnOutage == "serve_cached" && r.well("session.max_staleness") && s.MaxStaleness == 0 {
		r.Report("session.on_outage", *setting.Wrong("can't serve what is not cached: session.max_staleness is 0", "let max_staleness be more than 0, or write on_outage: fail"))
	}
	if r.Given("session.cache_memory") && r.Sound("session.cache_memory") && s.CacheMemory == 0 {
		r.Report("session.cache_memory", *setting.Wrong("is 0", "write max_staleness: 0 to read the store at every request"))
	}
	const lease = "session.renewal_lease"
	if r.Given(lease) && r.Sound(lease) && s.RenewalLease < minRenewalLease {
		r.Report(lease, *setting.Wrong("is shorter than "+minRenewalLease.String(), "give a renewal time to be answered and saved: another replica that sends the refresh token again looks like a thief to the provider"))
	}
	var seen []keys.Key
	for i, k := range s.Keys {
		key, err := keys.Parse(k.Reveal())
		if err != nil {
			continue
		}
		if slices.Contains(seen, key) {
			r.Report(fmt.Sprintf("session.keys[%d]", i), *setting.Wrong("is the same key as one before it", "take it out"))
		}
		seen = append(seen, key)
	}
}

func (r *reader) checkSPA(c *Config) {
	if r.Given("spa.dir") && r.Given("spa.dev_server") {
		r.Report("spa.dev_server", *setting.Wrong("contradicts spa.dir", "keep one: dir for the built app, dev_server while it is being written"))
	}
	if r.Given("spa.csp") && r.Given("spa.dev_server") && !r.Given("spa.dir") {
		r.Report("spa.csp", *setting.Wrong("has no effect with spa.dev_server", "set it together with spa.dir: a development server sends headers of its own"))
	}
	if r.Sound("spa.dev_server") {
		if f := r.loop(c, c.SPA.DevServer); f != nil {
			r.Report("spa.dev_server", *f)
		}
	}
}
