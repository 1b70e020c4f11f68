// Package identity names the header fields that tell an application who the user of a request is.
//
// Applications trust these fields, so no client may set one. Package proxy and the examples in
// deploy remove them from requests before they set any. Only this package lists the fields, and it
// knows nothing but their names. Its weak point is a field that an application trusts and that is
// missing here.
package identity

import (
	"net/textproto"
	"slices"
	"strings"
)

// The fields that GET /bff/auth answers with, and ProxySecret, with which a reverse proxy
// authenticates itself there.
const (
	User              = "X-Auth-Request-User"
	Email             = "X-Auth-Request-Email"
	PreferredUsername = "X-Auth-Request-Preferred-Username"
	Issuer            = "X-Auth-Request-Issuer"
	Provider          = "X-Auth-Request-Provider"
	AccessToken       = "X-Auth-Request-Access-Token"
	ProxySecret       = "X-Forward-Auth-Secret"
)

// Fields returns all known names in canonical form, sorted. A reverse proxy that can't remove
// fields by a prefix must remove each of these.
func Fields() []string {
	fields := []string{
		User, Email, PreferredUsername, Issuer, Provider, AccessToken, ProxySecret,
		// oauth2-proxy and similar
		"X-Auth-Request-Groups", "X-Auth-Request-Roles", "X-Auth-Request-Name",
		"X-Auth-Request-Id-Token", "X-Auth-Request-Redirect",
		"X-Forwarded-User", "X-Forwarded-Email", "X-Forwarded-Groups",
		"X-Forwarded-Preferred-Username", "X-Forwarded-Access-Token", "X-Forwarded-Id-Token",
		"X-User", "X-User-Id", "X-Access-Token", "X-Id-Token",
		// Authelia, CGI, Kubernetes
		"Remote-User", "Remote-Groups", "Remote-Name", "Remote-Email",
		"X-Remote-User", "X-Remote-Group",
		// Grafana and others
		"X-Webauth-User", "X-Webauth-Email", "X-Webauth-Name", "X-Webauth-Groups", "X-Webauth-Role",
		// Azure
		"X-Ms-Client-Principal", "X-Ms-Client-Principal-Id", "X-Ms-Client-Principal-Name",
		"X-Ms-Client-Principal-Idp",
		// authentik, Pomerium, Vouch, Tailscale
		"X-Authentik-Username", "X-Authentik-Email", "X-Authentik-Groups", "X-Authentik-Name",
		"X-Authentik-Uid", "X-Pomerium-Claim-Email", "X-Pomerium-Claim-User", "X-Pomerium-Claim-Groups",
		"X-Vouch-User", "Tailscale-User-Login", "Tailscale-User-Name",
		// Google, AWS, Cloudflare; their signed fields are left to the application to verify
		"X-Goog-Authenticated-User-Email", "X-Goog-Authenticated-User-Id", "X-Amzn-Oidc-Identity",
		"X-Amzn-Oidc-Accesstoken", "Cf-Access-Authenticated-User-Email",
		// Kong and other gateways
		"X-Consumer-Id", "X-Consumer-Username", "X-Consumer-Custom-Id", "X-Consumer-Groups",
		"X-Authenticated-User", "X-Authenticated-Userid", "X-Authenticated-Email", "X-Authenticated-Groups",
		"X-Userinfo",
		// the subject of a TLS client certificate
		"Client-Cert", "Client-Cert-Chain", "X-Client-Cert", "X-Ssl-Client-Cert",
		"X-Ssl-Client-S-Dn", "X-Ssl-Client-Verify", "Ssl-Client-Cert", "Ssl-Client-S-Dn",
		"Ssl-Client-Verify",
	}
	slices.Sort(fields)
	return fields
}

// Prefixes returns the common prefixes of names, in canonical form. Every field whose name begins
// with one of them counts as an identity field, listed or not.
func Prefixes() []string {
	return []string{
		"Remote-", "Ssl-Client-", "Tailscale-User-", "X-Auth-Request-", "X-Authenticated-", "X-Authentik-",
		"X-Consumer-", "X-Goog-Authenticated-", "X-Ms-Client-Principal", "X-Pomerium-Claim-", "X-Remote-",
		"X-Ssl-Client-", "X-Webauth-",
	}
}

// IsUnlisted reports whether a field is an identity field that passes a reverse proxy which removes
// only Fields. Such proxies are nginx and Traefik, which can't remove fields by a prefix. The field
// has one of Prefixes but is not listed, or is listed but spelt in another way. The client's
// address, which proxies add, is no identity field.
func IsUnlisted(name string) bool {
	canonical := Canonical(name)
	if !Is(canonical) || slices.Contains(addresses, canonical) {
		return false
	}
	return !isKnown(canonical) || canonical != textproto.CanonicalMIMEHeaderKey(name)
}

func isKnown(name string) bool {
	_, found := slices.BinarySearch(known, textproto.CanonicalMIMEHeaderKey(name))
	return found
}

var (
	known    = Fields()
	prefixes = Prefixes()
	// addresses have one of the prefixes but hold the client's address.
	addresses = []string{
		"Remote-Addr", "Remote-Host", "Remote-Port",
		"X-Remote-Addr", "X-Remote-Host", "X-Remote-Ip", "X-Remote-Port",
	}
)

// Canonical returns the canonical form of a field's name after every character other than a letter
// or digit was replaced by a hyphen. CGI and WSGI do not distinguish hyphens from underscores
// (PX8), and some servers do not distinguish them from other characters either.
func Canonical(name string) string {
	return textproto.CanonicalMIMEHeaderKey(strings.Map(folded, name))
}

// Is reports whether a field is an identity field, in any spelling with the same Canonical form.
func Is(name string) bool {
	name = Canonical(name)
	for _, prefix := range prefixes {
		if strings.HasPrefix(name, prefix) {
			return true
		}
	}
	return isKnown(name)
}

func folded(r rune) rune {
	if 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || '0' <= r && r <= '9' {
		return r
	}
	return '-'
}
