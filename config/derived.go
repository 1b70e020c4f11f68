package config

import (
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
)

// keyBytes is the length of a session key.
const keyBytes = 32

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
func (c *Config) RedirectURI(p Provider) string { return c.endpoint("callback", p) }

// PostLogoutRedirectURI is where p sends browsers back to after a logout.
func (c *Config) PostLogoutRedirectURI(p Provider) string { return c.endpoint("logout/callback", p) }

// BackchannelLogoutURI is where p posts its logout tokens.
func (c *Config) BackchannelLogoutURI(p Provider) string { return c.endpoint("backchannel", p) }

// FrontchannelLogoutURI is what p puts in a frame to log its user out here.
func (c *Config) FrontchannelLogoutURI(p Provider) string { return c.endpoint("frontchannel", p) }

// JWKSURI is where p finds the public keys with which this client signs.
func (c *Config) JWKSURI(p Provider) string { return c.endpoint("jwks", p) }

// endpoint is built from the file alone: nothing that a request says can move it (LS6).
func (c *Config) endpoint(name string, p Provider) string {
	return c.Origin() + c.Server.BasePath + "/" + name + "/" + p.ID
}

// KeyBytes returns the decoded keys. The error can't happen to a Session that Parse returned.
func (s Session) KeyBytes() ([][]byte, error) {
	keys := make([][]byte, 0, len(s.Keys))
	for i, k := range s.Keys {
		key, err := decodeKey(k.Reveal())
		if err != nil {
			return nil, fmt.Errorf("session.keys[%d]: %w", i, err)
		}
		keys = append(keys, key)
	}
	return keys, nil
}

// decodeKey takes both alphabets of base64, padded or not: tools differ in what they print.
func decodeKey(text string) ([]byte, error) {
	text = strings.TrimRight(text, "=")
	text = strings.NewReplacer("-", "+", "_", "/").Replace(text)
	key, err := base64.RawStdEncoding.DecodeString(text)
	if err != nil {
		return nil, errors.New("it is not base64")
	}
	if len(key) != keyBytes {
		return nil, fmt.Errorf("it holds %d bytes, not %d", len(key), keyBytes)
	}
	if slices.Max(key) == slices.Min(key) {
		return nil, errors.New("all its bytes are the same, and anybody can guess it")
	}
	return key, nil
}
