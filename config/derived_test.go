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
		equal(t, url, c.Site.PublicURL.String(), want)
	}
}

func TestTheSessionCookieIsStrictUnlessSaidOtherwise(t *testing.T) {
	c := parse(t, complete("session: {cookie: {name: app, same_site: lax}}\n"))
	equal(t, "name", c.Site.CookieName, "app")
	equal(t, "same_site", c.Site.SameSite, http.SameSiteLaxMode)
	c = parse(t, complete("server: {public_url: http://localhost:8081}\n"))
	equal(t, "name", c.Site.CookieName, "cloakroom")
	equal(t, "same_site", c.Site.SameSite, http.SameSiteStrictMode)
}

func TestNetworksMayBeSingleAddresses(t *testing.T) {
	c := parse(t, complete(`server:
  public_url: https://app.example.com
  trusted_proxies: [10.1.2.3/8, 192.0.2.7, '::ffff:192.0.2.8', 'fd00::/8']
`))
	var got []string
	for _, p := range c.Site.TrustedProxies {
		got = append(got, p.String())
	}
	equal(t, "trusted_proxies", strings.Join(got, " "), "10.0.0.0/8 192.0.2.7/32 192.0.2.8/32 fd00::/8")
}

// MD4, LS2, CS1: there is a warning of each setting that is allowed but dangerous.
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
	got := strings.Join(c.Warnings, "\n")
	for _, want := range []string{
		"server.trusted_proxies holds ::/0",
		"admin.token is shorter",
		"session.store is memory",
		"providers[0] (main): client_auth is none",
		"routes[0] (/a): access tokens go to the upstream in plain http",
		"routes[1] (/b): csrf is none",
		"spa.dev_server is for the time of writing",
	} {
		if strings.Count(got, want) != 1 {
			t.Errorf("warnings lack %q:\n%s", want, got)
		}
	}
	equal(t, "warnings", len(c.Warnings), 7)
	if strings.Contains(got, literalSecret) {
		t.Errorf("a warning holds a secret: %s", got)
	}
}
