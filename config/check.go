package config

import (
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"regexp"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

var (
	providerID = regexp.MustCompile(`^[a-z0-9-]+$`)
	basePath   = regexp.MustCompile(`^(/[A-Za-z0-9_-]+)+$`)
	cookieName = regexp.MustCompile(`^[A-Za-z0-9_-]{1,64}$`)
	methodName = regexp.MustCompile(`^[A-Z]{1,20}$`)
)

// ownParams are what every authorization request is made of; an operator's auth_params can't be
// among them.
var ownParams = []string{
	"client_id", "redirect_uri", "response_type", "response_mode", "state", "nonce", "scope",
	"code_challenge", "code_challenge_method", "request", "request_uri", "claims",
}

// check holds the values against each other, once each is well-formed.
func (d *decoder) check() {
	d.checkServer()
	d.checkSession()
	d.checkProviders()
	d.checkRoutes()
	c := d.config
	if c.SPA.Dir != "" && c.SPA.DevServer != nil {
		d.wrong("spa.dev_server", "spa has both dir and dev_server", "keep one: dev_server for development, dir otherwise")
	}
}

// wrong is a fault at the place of a key, or at the nearest key above it when it was left out.
func (d *decoder) wrong(key, what, remedy string) {
	for k := key; k != ""; k = parent(k) {
		if n, ok := d.at[k]; ok {
			d.fault(n, what, remedy)
			return
		}
	}
	d.fault(&yaml.Node{Line: 1, Column: 1}, what, remedy)
}

func parent(key string) string {
	i := strings.LastIndexAny(key, ".[")
	return key[:max(i, 0)]
}

func (d *decoder) warn(key, what string) {
	line := 1
	if n, ok := d.at[key]; ok {
		line = n.Line
	}
	d.config.warnings = append(d.config.warnings, fmt.Sprintf("%s:%d: %s", d.faults.name, line, what))
}

func (d *decoder) checkServer() {
	s := d.config.Server
	switch u := s.PublicURL; {
	case u == nil:
		d.wrong("server.public_url", "server.public_url is missing", "the origin that browsers see, such as public_url: https://app.example.com")
	case u.Path != "" && u.Path != "/":
		d.wrong("server.public_url", "server.public_url must be an origin, without a path", "write "+u.Scheme+"://"+u.Host)
	case u.Scheme == "http" && !loopback(u.Hostname()):
		d.wrong("server.public_url", "server.public_url is http, and its host is not loopback", "use https; TLS may end at a proxy in front. http is for localhost alone")
	}
	if !basePath.MatchString(s.BasePath) {
		d.wrong("server.base_path", "server.base_path must be a path such as /bff, without a slash at its end", "")
	}
	for _, l := range []struct{ key, addr string }{{"server.listen", s.Listen}, {"server.admin_listen", s.AdminListen}} {
		if _, _, err := net.SplitHostPort(l.addr); err != nil && l.addr != "" {
			d.wrong(l.key, l.key+" must be host:port", `such as ":8080" or 127.0.0.1:9090`)
		}
	}
	if s.Listen == "" {
		d.wrong("server.listen", "server.listen is empty", `such as ":8080"`)
	}
	if s.Listen == s.AdminListen && !strings.HasSuffix(s.Listen, ":0") {
		d.wrong("server.admin_listen", "server.admin_listen is the same as server.listen", "the admin listener must have a port of its own, which browsers can't reach")
	}
	for i, p := range s.TrustedProxies {
		if p.Bits() == 0 {
			d.warn(fmt.Sprintf("server.trusted_proxies[%d]", i), "server.trusted_proxies trusts everyone: any caller can claim any address")
		}
	}
	if s.ShutdownTimeout == 0 {
		d.wrong("server.shutdown_timeout", "server.shutdown_timeout must be more than 0", "such as 20s")
	}
}

func (d *decoder) checkSession() {
	s := d.config.Session
	scheme, rest, _ := strings.Cut(s.Store.Reveal(), ":")
	switch scheme {
	case "memory":
	case "sqlite":
		if rest == "" {
			d.wrong("session.store", "session.store names no file", "such as sqlite:/var/lib/cloakroom/cloakroom.db")
		}
	case "redis", "rediss", "postgres", "postgresql":
		d.wrong("session.store", "session.store: this build has no "+scheme+" store yet", "use sqlite:PATH on one machine, or memory: for trying")
	default:
		d.wrong("session.store", "session.store is no store that is known", "memory: or sqlite:PATH")
	}
	if s.Lifetime <= 0 {
		d.wrong("session.lifetime", "session.lifetime must be more than 0", "such as 12h")
	}
	if s.IdleTimeout > s.Lifetime {
		d.wrong("session.idle_timeout", "session.idle_timeout is longer than session.lifetime", "make it shorter, or 0 for none")
	}
	if !cookieName.MatchString(s.Cookie.Name) {
		d.wrong("session.cookie.name", "session.cookie.name must be letters, digits, - and _, at most 64", "the prefix __Host-Http- is put in front by itself")
	}
}

func (d *decoder) checkProviders() {
	if len(d.config.Providers) == 0 {
		d.wrong("providers", "providers is missing or empty", "configure at least one; see cloakroom.example.yaml")
	}
	seen := map[string]bool{}
	for i, p := range d.config.Providers {
		key := fmt.Sprintf("providers[%d]", i)
		switch {
		case p.ID == "":
			d.wrong(key+".id", key+".id is missing", "a short name of your own, such as id: main; it is part of the redirect URI")
		case !providerID.MatchString(p.ID):
			d.wrong(key+".id", fmt.Sprintf("provider id %q must be lower-case letters, digits and -", p.ID), "")
		case seen[p.ID]:
			d.wrong(key+".id", fmt.Sprintf("provider id %q is there twice", p.ID), "give each provider an id of its own")
		}
		seen[p.ID] = true
		d.checkIssuer(key, p)
		d.checkClient(key, p)
		d.checkRequest(key, p)
	}
}

func (d *decoder) checkIssuer(key string, p Provider) {
	u, err := url.Parse(p.Issuer)
	switch {
	case p.Issuer == "":
		d.wrong(key+".issuer", key+".issuer is missing", "the provider's issuer URL, exactly as its metadata spells it")
	case err != nil || u.Host == "" || u.RawQuery != "" || u.Fragment != "" || u.User != nil:
		d.wrong(key+".issuer", key+".issuer must be a URL without user name, query and fragment", "such as https://id.example.com/realms/acme")
	case u.Scheme != "https" && (u.Scheme != "http" || !loopback(u.Hostname())):
		d.wrong(key+".issuer", key+".issuer must be https", "http is for a provider on loopback alone")
	}
	if p.ClientID == "" {
		d.wrong(key+".client_id", key+".client_id is missing", "what the provider calls this service")
	}
}

// checkClient wants what each way of client authentication needs.
func (d *decoder) checkClient(key string, p Provider) {
	needsSecret := strings.HasPrefix(p.ClientAuth, "client_secret_")
	if needsSecret && p.ClientSecret.IsZero() {
		d.wrong(key+".client_secret", key+": client_auth "+p.ClientAuth+" needs a client_secret", "client_secret: ${CLIENT_SECRET}")
	}
	if (p.ClientAuth == "private_key_jwt" || p.ClientAuth == "tls_client_auth") && p.ClientKeyFile == "" {
		d.wrong(key+".client_key_file", key+": client_auth "+p.ClientAuth+" needs a client_key_file", "a private key in PEM")
	}
	if p.ClientAuth == "tls_client_auth" && p.ClientCertificateFile == "" {
		d.wrong(key+".client_certificate_file", key+": client_auth tls_client_auth needs a client_certificate_file", "a certificate in PEM")
	}
	if p.ClientAuth == "none" {
		d.warn(key+".client_auth", "provider "+p.ID+": client_auth none makes this a public client; anyone with a stolen code or refresh token can use it (RFC 9700 §2.5)")
	}
	if strings.HasPrefix(p.IDTokenAlg, "HS") && p.ClientSecret.IsZero() {
		d.wrong(key+".id_token_alg", key+": id_token_alg "+p.IDTokenAlg+" needs a client_secret", "or use the asymmetric algorithm that the client is registered with, such as RS256")
	}
}

func (d *decoder) checkRequest(key string, p Provider) {
	if !slices.Contains(p.Scopes, "openid") {
		d.wrong(key+".scopes", key+".scopes has no openid", "without it there is no login: scopes: [openid, profile, email]")
	}
	for _, s := range p.Scopes {
		if s == "" || strings.ContainsAny(s, " \t\n\"\\") {
			d.wrong(key+".scopes", fmt.Sprintf("%s.scopes: %q is no scope", key, s), "one scope to an item, without spaces")
		}
	}
	for name := range p.AuthParams {
		if slices.Contains(ownParams, strings.ToLower(name)) {
			d.wrong(key+".auth_params."+name, fmt.Sprintf("%s.auth_params can't set %s", key, name), "it is made anew for each login, or has a key of its own")
		}
	}
	if u := d.config.Server.PublicURL; p.ResponseMode == "form_post" && u != nil && u.Scheme != "https" {
		d.wrong(key+".response_mode", key+": response_mode form_post needs an https public_url", "its cookie must be SameSite=None, which browsers take over https alone; use query")
	}
}

func (d *decoder) checkRoutes() {
	seen := map[string]bool{}
	for i, r := range d.config.Routes {
		key := fmt.Sprintf("routes[%d]", i)
		d.checkRoutePath(key, r)
		if prefix := strings.TrimSuffix(r.Path, "/"); seen[prefix] {
			d.wrong(key+".path", fmt.Sprintf("route %s is there twice", r.Path), "keep one; the longest prefix wins")
		} else {
			seen[prefix] = true
		}
		d.checkUpstream(key, r)
		d.checkMethods(key, r)
		if r.Timeout == 0 {
			d.wrong(key+".timeout", key+".timeout must be more than 0", "such as 30s")
		}
		d.checkOwnToken(key, r)
	}
}

func (d *decoder) checkRoutePath(key string, r Route) {
	base := d.config.Server.BasePath
	switch {
	case r.Path == "":
		d.wrong(key+".path", key+".path is missing", "a prefix such as path: /api/")
	case r.Path[0] != '/' || strings.ContainsAny(r.Path, "%\\?#; \t") || strings.Contains(r.Path, "//"):
		d.wrong(key+".path", fmt.Sprintf("route path %q must begin with / and be plain", r.Path), "no %, ?, #, spaces or double slashes")
	case slices.ContainsFunc(strings.Split(r.Path, "/"), func(s string) bool { return s == "." || s == ".." }):
		d.wrong(key+".path", fmt.Sprintf("route path %q has dot segments", r.Path), "write the path that is meant")
	case strings.TrimSuffix(r.Path, "/") == base || strings.HasPrefix(r.Path, base+"/"):
		d.wrong(key+".path", fmt.Sprintf("route path %q lies below server.base_path %s", r.Path, base), "that is where this service's own endpoints are; choose another")
	}
}

func (d *decoder) checkUpstream(key string, r Route) {
	u := r.Upstream
	if u == nil {
		d.wrong(key+".upstream", key+".upstream is missing", "the API's address, such as upstream: http://127.0.0.1:9000")
		return
	}
	for _, l := range []struct{ name, addr string }{
		{"admin_listen", d.config.Server.AdminListen}, {"listen", d.config.Server.Listen},
	} {
		if sameEndpoint(u, l.addr) {
			d.wrong(key+".upstream", fmt.Sprintf("%s.upstream is this service's own server.%s", key, l.name), "name the API's address")
		}
	}
	if u.Scheme == "http" && !loopback(u.Hostname()) {
		d.warn(key+".upstream", fmt.Sprintf("route %s: upstream %s is http beyond loopback: access tokens cross that network in clear", r.Path, u.Host))
	}
}

// sameEndpoint reports whether a URL leads to a listener of ours on this host.
func sameEndpoint(u *url.URL, listen string) bool {
	host, port, err := net.SplitHostPort(listen)
	if err != nil || port == "0" || u.Port() != port {
		return false
	}
	if host == "" || net.ParseIP(host).IsUnspecified() || loopback(host) {
		return loopback(u.Hostname()) || strings.EqualFold(host, u.Hostname())
	}
	return strings.EqualFold(host, u.Hostname())
}

func (d *decoder) checkMethods(key string, r Route) {
	if len(r.Methods) == 0 {
		d.wrong(key+".methods", key+".methods is empty", "leave it out for the default, or name some")
	}
	for _, m := range r.Methods {
		if !methodName.MatchString(m) || m == "CONNECT" || m == "TRACE" || m == "TRACK" {
			d.wrong(key+".methods", fmt.Sprintf("%s.methods: %q can't be passed on", key, m), "upper-case methods such as GET, POST or OPTIONS; never CONNECT or TRACE")
		}
	}
}

// checkOwnToken settles which provider a route's own token is from.
func (d *decoder) checkOwnToken(key string, r Route) {
	providers := d.config.Providers
	known := slices.ContainsFunc(providers, func(p Provider) bool { return p.ID == r.Provider })
	own := r.Token == "client" || r.Token == "user_or_client"
	switch {
	case r.Provider != "" && !known:
		d.wrong(key+".provider", fmt.Sprintf("%s.provider %q is not configured", key, r.Provider), "name the id of a provider in this file")
	case own && r.Provider == "" && len(providers) > 1:
		d.wrong(key+".provider", key+": token "+r.Token+" needs a provider, since several are configured", "provider: "+providers[0].ID)
	case own && r.Provider == "" && len(providers) == 1:
		i := slices.IndexFunc(d.config.Routes, func(x Route) bool { return x.Path == r.Path })
		d.config.Routes[i].Provider = providers[0].ID
	}
}

func loopback(host string) bool {
	a, err := netip.ParseAddr(strings.Trim(host, "[]"))
	return host == "localhost" || strings.HasSuffix(host, ".localhost") || err == nil && a.IsLoopback()
}
