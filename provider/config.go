package provider

import (
	"fmt"
	"net/url"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/cloakroom/cloakroom/provider/jose"
	"github.com/cloakroom/cloakroom/secret"
	"github.com/cloakroom/cloakroom/setting"
	"github.com/cloakroom/cloakroom/site"
)

// complete fills in the defaults and reports every fault.
func (c Config) complete() (Config, error) {
	fresh := Defaults()
	setting.Fill(c.Settings(), fresh.Settings())
	if err := setting.Verify(c.Settings(), fresh.Settings(), c.Check); err != nil {
		return c, fmt.Errorf("provider %q: %w: %w", c.ID, ErrMisconfigured, err)
	}
	return c, nil
}

// maxAge returns the max_age of AuthParams; nil if there is none or it is no number of seconds.
func (c Config) maxAge() *time.Duration {
	seconds, err := strconv.Atoi(c.AuthParams["max_age"])
	if err != nil || seconds < 0 {
		return nil
	}
	d := time.Duration(seconds) * time.Second
	return &d
}

// A FileError means that a file named in a provider's settings can't be read.
type FileError struct {
	Provider, Key string // the provider's id, and the key that names the file
	Err           error
}

// Error implements error.
func (e *FileError) Error() string {
	return fmt.Sprintf("read %s of provider %q: %v", e.Key, e.Provider, e.Err)
}

// Unwrap returns the underlying error.
func (e *FileError) Unwrap() error { return e.Err }

// Is makes every FileError an ErrMisconfigured.
func (e *FileError) Is(target error) bool { return target == ErrMisconfigured }

// readFiles reads the files of the registration whose content was not given directly.
func (c *Config) readFiles() error {
	for _, f := range []struct {
		key, path string
		given     bool
		set       func([]byte)
	}{
		{
			"client_key_file", c.ClientKeyFile, !c.ClientKeyPEM.IsZero(),
			func(b []byte) { c.ClientKeyPEM = secret.New(string(b)) },
		},
		{
			"client_certificate_file", c.ClientCertificateFile, c.ClientCertPEM != "",
			func(b []byte) { c.ClientCertPEM = string(b) },
		},
		{"ca_file", c.CAFile, c.RootCAsPEM != nil, func(b []byte) { c.RootCAsPEM = b }},
	} {
		if f.path == "" || f.given {
			continue
		}
		b, err := os.ReadFile(f.path)
		if err != nil {
			return &FileError{c.ID, f.key, err}
		}
		f.set(b)
	}
	return nil
}

// CheckAll checks the providers of a file, each by itself and against the others. plainHTTP says
// that browsers reach this service by http.
func CheckAll(c setting.Check, all []Config, plainHTTP bool) {
	for i := range all {
		item := c.In(fmt.Sprintf("[%d]", i))
		if !item.GivenAndValid("") {
			continue
		}
		if all[i].Name == "" {
			all[i].Name = all[i].ID
		}
		sameID := func(p Config) bool { return p.ID == all[i].ID }
		if j := slices.IndexFunc(all[:i], sameID); j >= 0 && item.GivenAndValid("id") {
			item.Report("id", fmt.Sprintf("is that of providers[%d], too", j),
				"give each provider an id of its own: it tells their redirect URIs apart")
		}
		all[i].Check(item)
		if all[i].ClientAuth == authNone {
			c.Warn(fmt.Sprintf("providers[%d] (%s): client_auth is none, so that anybody can use this "+
				"client's codes and refresh tokens; give it a secret or a key", i, all[i].ID))
		}
		if plainHTTP && all[i].ResponseMode == "form_post" {
			item.Report("response_mode", "can't be form_post with an http public_url",
				"write query: the provider's POST needs a cookie with SameSite=None, which browsers take "+
					"from https alone")
		}
	}
}

// Check reports what is missing and what contradicts something else.
func (c *Config) Check(s setting.Check) {
	s.Require("id", "add id: main, or another short name; it becomes part of the redirect URI")
	s.Require("issuer", "add issuer: and what the provider's metadata says under \"issuer\"")
	s.Require("client_id", "add client_id: and the name that this client is registered under")
	c.checkTenants(s)
	c.checkClientAuth(s)
	c.checkScopes(s)
}

// exampleTemplate is an issuer template, for remedies.
const exampleTemplate = "https://login.microsoftonline.com/" + jose.TenantPlaceholder + "/v2.0"

// checkTenants compares the issuer with the tenants and with the address of the metadata.
func (c *Config) checkTenants(s setting.Check) {
	if !s.GivenAndValid("issuer") {
		return
	}
	if !jose.IsTemplate(c.Issuer) {
		if len(c.Tenants) > 0 {
			s.Report("tenants", "is not used: the issuer has no "+jose.TenantPlaceholder,
				"take it out, or write the issuer as a template: "+exampleTemplate)
		}
		return
	}
	if len(c.Tenants) == 0 && s.Valid("tenants") {
		s.Report("issuer", "is a template, and no tenants are listed",
			"add tenants: and the ids of those whose users may log in; "+
				"anybody can have a tenant of their own")
	}
	s.Require("metadata_url", "add metadata_url: and where the metadata of all these tenants is, such as "+
		"https://login.microsoftonline.com/organizations/v2.0/.well-known/openid-configuration")
}

func clientAuths() []string {
	return []string{authBasic, authPost, authSecretJWT, authKeyJWT, authTLS, authNone}
}

// checkClientAuth compares the method with the keys that it uses. A key that it does not use is a
// fault, too: the operator may believe that it protects the client.
func (c *Config) checkClientAuth(s setting.Check) {
	if !s.Valid("client_auth") {
		return
	}
	hmac := jose.IsHMAC(c.IDTokenAlg)
	uses := map[string]bool{
		"client_secret":           strings.HasPrefix(c.ClientAuth, "client_secret_"),
		"client_key_file":         c.ClientAuth == "private_key_jwt" || c.ClientAuth == "tls_client_auth",
		"client_certificate_file": c.ClientAuth == "tls_client_auth",
		"client_key_id":           c.ClientAuth == "private_key_jwt",
		"client_assertion_alg":    c.ClientAuth == "private_key_jwt" || c.ClientAuth == "client_secret_jwt",
	}
	optional := []string{"client_key_id", "client_assertion_alg"}
	if hmac && c.ClientAuth == "none" {
		s.Report("id_token_alg", "needs a client secret, and client_auth is none",
			"write the algorithm that this client is registered with, such as RS256")
	} else if hmac {
		uses["client_secret"] = true // it signs the ID tokens
	}
	alg := uses["client_assertion_alg"] && c.ClientAssertionAlg != "" && s.Valid("client_assertion_alg")
	if alg && jose.IsHMAC(c.ClientAssertionAlg) != (c.ClientAuth == "client_secret_jwt") {
		s.Report("client_assertion_alg", "does not fit client_auth "+c.ClientAuth,
			"write HS256, HS384 or HS512 for client_secret_jwt, and one of the others for private_key_jwt")
	}
	required := []string{"client_secret", "client_key_file", "client_certificate_file"}
	for _, name := range slices.Concat(required, optional) {
		switch {
		case uses[name] && slices.Contains(optional, name):
		case uses[name] && !c.has(name):
			s.Require(name, remedies[name]+"; client_auth is "+c.ClientAuth)
		case !uses[name] && s.Given(name):
			s.Report(name, "is not used with client_auth "+c.ClientAuth,
				"take it out, or correct client_auth")
		}
	}
}

// remedies say how to add a key that is missing. The map is never written to.
var remedies = map[string]string{
	"client_secret":           "add client_secret: ${CLIENT_SECRET}",
	"client_key_file":         "add client_key_file: and the path of the private key (PEM)",
	"client_certificate_file": "add client_certificate_file: and the path of the certificate (PEM)",
}

func (c *Config) checkScopes(s setting.Check) {
	if !s.GivenAndValid("scopes") {
		return
	}
	if !slices.Contains(c.Scopes, "openid") {
		s.Report("scopes", "lacks openid",
			"add openid: without it there is no ID token (OIDC Core §3.1.2.1)")
	}
	if i := slices.Index(c.Scopes, "offline_access"); i >= 0 && c.RefreshOff {
		s.Report(fmt.Sprintf("scopes[%d]", i), "asks for a refresh token, and refresh is off",
			"take it out, or write refresh: auto")
	}
}

// has reports whether the content of a file was given directly, so that no file name is needed.
func (c *Config) has(key string) bool {
	switch key {
	case "client_key_file":
		return !c.ClientKeyPEM.IsZero()
	case "client_certificate_file":
		return c.ClientCertPEM != ""
	}
	return false
}

// secureURL reports whether s is an absolute https URL or, if loopback is allowed, an http URL of
// this machine (FAPI 2.0 §5.3.3.1, MD2). An endpoint has no user name and no fragment.
func secureURL(s string, loopback bool) bool {
	u, err := url.Parse(s)
	if err != nil || u.Host == "" || u.User != nil || u.Fragment != "" || u.Opaque != "" {
		return false
	}
	return u.Scheme == "https" || loopback && u.Scheme == "http" && site.IsLoopback(u.Hostname())
}
