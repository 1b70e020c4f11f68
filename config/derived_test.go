package config

import (
	"net/http"
	"strings"
	"testing"
)

func TestOriginsAreWrittenAsBrowsersDo(t *testing.T) {
	for url, want := range map[string]string{
		"https://app.example.com":       "https://app.example.com",
		"HTTPS://App.Example.com:443/":  "https://app.example.com",
		"https://app.example.com:8443":  "https://app.example.com:8443",
		"https://app.example.com:80":    "https://app.example.com:80",
		"http://localhost:80":           "http://localhost",
		"http://app.localhost:8080":     "http://app.localhost:8080",
		"http://127.1.2.3:8080":         "http://127.1.2.3:8080",
		"http://[::1]:8080":             "http://[::1]:8080",
		"https://xn--bcher-kva.example": "https://xn--bcher-kva.example",
	} {
		c := parse(t, complete("server: {public_url: '"+url+"', listen: ':1'}\n"))
		equal(t, url, c.Server.PublicURL.String(), want)
	}
}

func TestTheSessionCookieIsStrictUnlessSaidOtherwise(t *testing.T) {
	c := parse(t, complete("session: {cookie: {name: app, same_site: lax}}\n"))
	equal(t, "name", c.Session.Cookie.Name, "app")
	equal(t, "same_site", c.Session.Cookie.SameSite, http.SameSiteLaxMode)
	c = parse(t, complete("server: {public_url: http://localhost:8081}\n"))
	equal(t, "name", c.Session.Cookie.Name, "cloakroom")
	equal(t, "same_site", c.Session.Cookie.SameSite, http.SameSiteStrictMode)
}

func TestNetworksMayBeSingleAddresses(t *testing.T) {
	c := parse(t, complete("server: {public_url: https://app.example.com, trusted_proxies: [10.1.2.3/8, 192.0.2.7, '::ffff:192.0.2.8', 'fd00::/8']}\n"))
	var got []string
	for _, p := range c.Server.TrustedProxies {
		got = append(got, p.String())
	}
	equal(t, "trusted_proxies", strings.Join(got, " "), "10.0.0.0/8 192.0.2.7/32 192.0.2.8/32 fd00::/8")
}

// MD4, LS2, CS1: what is allowed and dangerous is said, here once each.
func TestDangerousSettingsAreWarnedAbout(t *testing.T) {
	c := parse(t, `
server: {public_url: https://app.example.com, trusted_proxies: ["::/0"]}
admin: {token: hunter2}
session: {store: "memory:"}
providers: [{id: main, issuer: https://id.example.com, client_id: app, client_auth: none}]
routes:
  - {path: /a, upstream: http://api.internal:9000}
  - {path: /b, upstream: http://127.0.0.1:9000, csrf: none}
  - {path: /c, upstream: https://api.internal, csrf: none, token: none}
spa: {dev_server: http://localhost:5173}
`)
	got := strings.Join(c.Warnings(), "\n")
	for _, want := range []string{
		"server.trusted_proxies holds ::/0", "admin.token is shorter", "session.store is memory", "providers[0] (main): client_auth is none",
		"routes[0] (/a): access tokens go to the upstream in plain http", "routes[1] (/b): csrf is none", "spa.dev_server is for the time of writing",
	} {
		if strings.Count(got, want) != 1 {
			t.Errorf("warnings lack %q:\n%s", want, got)
		}
	}
	equal(t, "warnings", len(c.Warnings()), 7)
	if strings.Contains(got, literalSecret) {
		t.Errorf("a warning holds a secret: %s", got)
	}
}

func TestListenersAreToldApart(t *testing.T) {
	for _, c := range []struct {
		address, host, port string
		want                bool
	}{
		{"127.0.0.1:9090", "127.0.0.1", "9090", true},
		{"127.0.0.1:9090", "127.0.0.1", "9091", false},
		{"127.0.0.1:9090", "127.0.0.2", "9090", false},
		{"127.0.0.1:9090", "localhost", "9090", true},
		{"localhost:9090", "::1", "9090", true},
		{"127.0.0.1:9090", "::ffff:127.0.0.1", "9090", true},
		{"127.0.0.1:9090", "0.0.0.0", "9090", true},
		{"127.0.0.1:9090", "10.0.0.1", "9090", false},
		{":9090", "127.0.0.1", "9090", true},
		{":9090", "::", "9090", true},
		{"[::]:9090", "api.localhost", "9090", true},
		{":9090", "api.internal", "9090", false},
		{"Admin.internal:9090", "admin.internal", "9090", true},
		{"127.0.0.1:0", "127.0.0.1", "0", false},
		{"127.0.0.1:09090", "127.0.0.1", "9090", true},
	} {
		if got := listensOn(c.address, c.host, c.port); got != c.want {
			t.Errorf("listensOn(%q, %q, %q) = %v, want %v", c.address, c.host, c.port, got, c.want)
		}
	}
}
