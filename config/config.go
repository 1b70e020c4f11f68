// Package config reads the configuration file into values.
//
// It finds every fault at once, each with its place in the file, the line itself, what is wrong and
// what would be right. It holds values only: nobody is asked, nothing is opened, and no other
// package than the composition root, check, demo and the commands sees a Config.
package config

import (
	"encoding/base64"
	"fmt"
	"log/slog"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"time"

	"github.com/cloakroom/cloakroom/secret"
)

// A Config is a whole configuration, checked and with its defaults filled in.
type Config struct {
	Server    Server
	Admin     Admin
	Log       Log
	Session   Session
	Providers []Provider
	Routes    []Route
	SPA       SPA
	Pages     Pages

	warnings []string
}

// Server says where the service listens and what browsers see of it.
type Server struct {
	PublicURL           *url.URL // scheme and host alone
	Listen, AdminListen string   // AdminListen may be "": no admin listener
	TrustedProxies      []netip.Prefix
	BasePath            string // "/bff", no slash at the end
	ShutdownTimeout     time.Duration
	MaxRequestBody      int64 // bytes; 0: unlimited
}

// Admin says who may use the admin API. A zero Token means nobody.
type Admin struct{ Token secret.Value }

// Log says what is logged and how.
type Log struct {
	Level  slog.Level
	Format string // json or text
}

// Session says where sessions are kept and how long they last.
type Session struct {
	Store               secret.Value   // a URL, which may hold a password
	Keys                []secret.Value // as written; see KeyBytes
	Lifetime            time.Duration
	IdleTimeout         time.Duration // 0: none
	RevokeOnBackchannel bool
	MaxStaleness        time.Duration // 0: the store is read every time
	Cookie              Cookie
}

// KeyBytes returns the keys, 32 bytes each; none when none is configured.
func (s Session) KeyBytes() ([][]byte, error) {
	keys := make([][]byte, 0, len(s.Keys))
	for i, k := range s.Keys {
		b, err := decodeKey(k.Reveal())
		if err != nil {
			return nil, fmt.Errorf("session.keys[%d]: %w", i, err)
		}
		keys = append(keys, b)
	}
	return keys, nil
}

func decodeKey(s string) ([]byte, error) {
	s = strings.TrimRight(s, "=")
	s = strings.NewReplacer("-", "+", "_", "/").Replace(s)
	b, err := base64.RawStdEncoding.DecodeString(s)
	if err != nil || len(b) != 32 {
		return nil, fmt.Errorf("not base64 of 32 bytes")
	}
	return b, nil
}

// Cookie says how the session cookie is set.
type Cookie struct {
	Name     string // without its prefix
	SameSite http.SameSite
}

// Provider is one OpenID provider.
type Provider struct {
	ID, Name, Issuer, ClientID           string
	ClientSecret                         secret.Value
	ClientKeyFile, ClientCertificateFile string
	ClientAuth, IDTokenAlg               string
	TrustedAudiences                     []string
	ResponseMode                         string
	Scopes                               []string
	Refresh                              string // auto or off
	AuthParams                           map[string]string
	CAFile                               string
}

// Route is a path prefix and the API behind it.
type Route struct {
	Path        string
	Upstream    *url.URL
	Token, CSRF string
	Timeout     time.Duration
	Methods     []string
	SharedCache bool
	Scopes      []string // of the service's own token
	Provider    string   // that the service's own token is from; the only one there is, when left out
}

// SPA says what app is served. All empty: none.
type SPA struct {
	Dir       string
	DevServer *url.URL
	CSP       string // Content-Security-Policy of its HTML; "" for the default
}

// Pages says what folder has pages in place of the embedded ones.
type Pages struct{ Templates string }

// Warnings are what is allowed and unwise, in the order of the file.
func (c *Config) Warnings() []string { return c.warnings }

// Origin is the public origin, as browsers write it: lower case, no default port.
func (c *Config) Origin() string {
	u := c.Server.PublicURL
	host := strings.ToLower(u.Host)
	if u.Scheme == "https" {
		host = strings.TrimSuffix(host, ":443")
	} else {
		host = strings.TrimSuffix(host, ":80")
	}
	return u.Scheme + "://" + host
}

// Secure reports whether browsers use https.
func (c *Config) Secure() bool { return c.Server.PublicURL.Scheme == "https" }

// StrictCookie reports whether the session cookie is SameSite=Strict.
func (c *Config) StrictCookie() bool { return c.Session.Cookie.SameSite == http.SameSiteStrictMode }

// SessionCookieName is the cookie's name with its prefix. On http there is none: browsers would
// refuse it.
func (c *Config) SessionCookieName() string {
	if c.Secure() {
		return "__Host-Http-" + c.Session.Cookie.Name
	}
	return c.Session.Cookie.Name
}

// RedirectURI is where p sends the browser after a login.
func (c *Config) RedirectURI(p Provider) string { return c.own("callback", p) }

// PostLogoutRedirectURI is where p sends the browser after a logout.
func (c *Config) PostLogoutRedirectURI(p Provider) string { return c.own("logout/callback", p) }

// BackchannelLogoutURI is where p posts logout tokens.
func (c *Config) BackchannelLogoutURI(p Provider) string { return c.own("backchannel", p) }

// FrontchannelLogoutURI is what p frames at a logout.
func (c *Config) FrontchannelLogoutURI(p Provider) string { return c.own("frontchannel", p) }

func (c *Config) own(what string, p Provider) string {
	return c.Origin() + c.Server.BasePath + "/" + what + "/" + p.ID
}
