// Package identity names the header fields by which an application is told whom a request is for.
//
// An application believes them, so no caller may set one: package proxy removes them before it sets
// any, and each example in deploy does. All of them are named here and nowhere else. It knows names
// alone. Its weak point is a field that some application believes and that is missing here.
package identity

import (
	"net/textproto"
	"slices"
	"strings"
)

// The fields of GET /bff/auth, and the one by which a reverse proxy proves itself there.
const (
	User              = "X-Auth-Request-User"
	Email             = "X-Auth-Request-Email"
	PreferredUsername = "X-Auth-Request-Preferred-Username"
	Issuer            = "X-Auth-Request-Issuer"
	Provider          = "X-Auth-Request-Provider"
	AccessToken       = "X-Auth-Request-Access-Token"
	ProxySecret       = "X-Forward-Auth-Secret"
)

// Fields are the names that are known, in canonical form and in order. A reverse proxy that can't
// remove a family must remove each of these.
func Fields() []string {
	fields := []string{
		User, Email, PreferredUsername, Issuer, Provider, AccessToken, ProxySecret,
		// oauth2-proxy and its like
		"X-Auth-Request-Groups", "X-Auth-Request-Roles", "X-Auth-Request-Name", "X-Auth-Request-Id-Token", "X-Auth-Request-Redirect",
		"X-Forwarded-User", "X-Forwarded-Email", "X-Forwarded-Groups", "X-Forwarded-Preferred-Username", "X-Forwarded-Access-Token", "X-Forwarded-Id-Token",
		"X-User", "X-User-Id", "X-Access-Token", "X-Id-Token",
		// Authelia, CGI, Kubernetes
		"Remote-User", "Remote-Groups", "Remote-Name", "Remote-Email", "X-Remote-User", "X-Remote-Group",
		// Grafana and others
		"X-Webauth-User", "X-Webauth-Email", "X-Webauth-Name", "X-Webauth-Groups", "X-Webauth-Role",
		// Azure
		"X-Ms-Client-Principal", "X-Ms-Client-Principal-Id", "X-Ms-Client-Principal-Name", "X-Ms-Client-Principal-Idp",
		// authentik, Pomerium, Vouch, Tailscale
		"X-Authentik-Username", "X-Authentik-Email", "X-Authentik-Groups", "X-Authentik-Name",
		"X-Authentik-Uid", "X-Pomerium-Claim-Email", "X-Pomerium-Claim-User", "X-Pomerium-Claim-Groups",
		"X-Vouch-User", "Tailscale-User-Login", "Tailscale-User-Name",
		// Google, AWS, Cloudflare; what is signed is for the application to verify
		"X-Goog-Authenticated-User-Email", "X-Goog-Authenticated-User-Id", "X-Amzn-Oidc-Identity", "X-Amzn-Oidc-Accesstoken",
		"Cf-Access-Authenticated-User-Email",
		// Kong and other gateways
		"X-Consumer-Id", "X-Consumer-Username", "X-Consumer-Custom-Id", "X-Consumer-Groups",
		"X-Authenticated-User", "X-Authenticated-Userid", "X-Authenticated-Email", "X-Authenticated-Groups",
		"X-Userinfo",
		// who a TLS client certificate is of
		"Client-Cert", "Client-Cert-Chain", "X-Client-Cert", "X-Ssl-Client-Cert",
		"X-Ssl-Client-S-Dn", "X-Ssl-Client-Verify", "Ssl-Client-Cert", "Ssl-Client-S-Dn",
		"Ssl-Client-Verify",
	}
	slices.Sort(fields)
	return fields
}

// Families are what the names of whole families begin with, in canonical form: whatever else begins so
// is taken for an identity, too.
func Families() []string {
	return []string{
		"Remote-", "Ssl-Client-", "Tailscale-User-", "X-Auth-Request-", "X-Authenticated-", "X-Authentik-", "X-Consumer-",
		"X-Goog-Authenticated-", "X-Ms-Client-Principal", "X-Pomerium-Claim-", "X-Remote-", "X-Ssl-Client-", "X-Webauth-",
	}
}

// Stray reports whether a field says whom a request is for, and a reverse proxy would pass it on that can only
// remove what it can name, as nginx and Traefik are: it is of a family and none of Fields, or one of them in
// another spelling. The address of a caller, which proxies write, is none.
func Stray(name string) bool {
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
	families = Families()
	// addresses begin as the names of a family do, and say where a request came from.
	addresses = []string{"Remote-Addr", "Remote-Host", "Remote-Port", "X-Remote-Addr", "X-Remote-Host", "X-Remote-Ip", "X-Remote-Port"}
)

// Canonical is a field's name as the most careless reader has it: case does not count, and underscores are
// hyphens: CGI, WSGI and their like fold them together (PX8), and some do so with all that is no letter or digit.
func Canonical(name string) string {
	return textproto.CanonicalMIMEHeaderKey(strings.Map(folded, name))
}

// Is reports whether a field says whom a request is for, in any spelling that Canonical knows.
func Is(name string) bool {
	name = Canonical(name)
	for _, family := range families {
		if strings.HasPrefix(name, family) {
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
