package provider

import (
	"fmt"
	"net/url"
	"regexp"
	"slices"
	"strings"

	"github.com/cloakroom/cloakroom/provider/jose"
	"github.com/cloakroom/cloakroom/setting"
	"github.com/cloakroom/cloakroom/site"
)

var idForm = regexp.MustCompile(`^[a-z0-9-]+$`)

func checkID(s string) *setting.Fault {
	if !idForm.MatchString(s) || len(s) > setting.MaxName {
		return setting.NewFault(
			fmt.Sprintf("is not made of a–z, 0–9 and - alone, %d at most", setting.MaxName),
			"write something like main: it becomes part of the redirect URI",
		)
	}
	return nil
}

// checkIssuer accepts an issuer identifier. The issuer is kept exactly as it is written, since
// issuers are compared as strings (OIDC Discovery §4.3).
func checkIssuer(s string) *setting.Fault {
	u, fault := setting.ParseURL(s, "https://id.example.com")
	switch {
	case fault != nil:
		return fault
	case u.Scheme == "http" && !site.IsLoopback(u.Hostname()):
		return setting.NewFault("is http, and its host is not this machine",
			"write https (OIDC Core §2); only a provider on localhost, 127.0.0.0/8 or [::1] may be http")
	case strings.Contains(s, "/.well-known/"):
		return setting.NewFault("is the address of the metadata, not the issuer",
			"write what the metadata says under \"issuer\"; its address goes into metadata_url, if it is not "+
				"the issuer and /.well-known/openid-configuration")
	case jose.IsTemplate(s):
		return checkIssuerTemplate(s, u)
	}
	return nil
}

// checkIssuerTemplate accepts one placeholder, as a whole segment of the path: no tenant may choose
// the host.
func checkIssuerTemplate(s string, u *url.URL) *setting.Fault {
	one := strings.Count(s, "{") == 1 && strings.Count(s, "}") == 1
	if !one || !slices.Contains(strings.Split(u.Path, "/"), jose.TenantPlaceholder) {
		return setting.NewFault("is neither an issuer nor a template", "write "+jose.TenantPlaceholder+
			" once, for a whole segment of the path: "+exampleTemplate+"; or write out the issuer")
	}
	return nil
}

var (
	tenantName = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,252}$`)
	guid       = regexp.MustCompile(`(?i)^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$`)
)

// checkTenant accepts what can replace the placeholder in an issuer.
func checkTenant(s string) *setting.Fault {
	switch {
	case slices.Contains([]string{"common", "organizations", "consumers"}, s):
		return setting.NewFault("is Microsoft's name for many tenants, and not one tenant",
			"list the ids of the tenants whose users may log in; metadata_url may contain that name")
	case guid.MatchString(s) && s != strings.ToLower(s):
		return setting.NewFault("has capital letters, which the id in a token does not have",
			"write it in lower case")
	case !tenantName.MatchString(s):
		return setting.NewFault("is not the id or name of a tenant",
			"write letters, digits, dots, _ and -, as the provider's tokens spell it in iss")
	}
	return nil
}

// checkAddress accepts the URL of an endpoint or page of a provider: https, or http on this machine
// (MD2). It may have a query.
func checkAddress(s string) *setting.Fault {
	address, query, _ := strings.Cut(s, "?")
	u, fault := setting.ParseURL(address, "https://id.example.com/path")
	switch {
	case fault != nil:
		return fault
	case u.Scheme == "http" && !site.IsLoopback(u.Hostname()):
		return setting.NewFault("is http, and its host is not this machine",
			"write https; only a provider on localhost, 127.0.0.0/8 or [::1] may be http")
	case strings.Contains(query, "#"):
		return setting.NewFault("has a fragment", "take out the # and what follows it")
	}
	return checkQuery(query)
}

// checkQuery accepts a query that needs no escaping in a header.
func checkQuery(query string) *setting.Fault {
	if _, err := url.ParseQuery(query); err != nil || !plainQuery.MatchString(query) {
		return setting.NewFault("has a query that is not percent-encoded",
			"write blanks and letters beyond ASCII as %20 and the like, and join parameters with &")
	}
	return nil
}

var plainQuery = regexp.MustCompile(`^[!$%&'()*+,./0-9:;=?@A-Z\[\]_a-z~-]*$`)

// checkKeyID accepts the kid of client assertions.
func checkKeyID(s string) *setting.Fault {
	if s == "" || len(s) > 255 {
		return setting.NewFault("is not 1 to 255 characters long",
			"write the kid that the provider knows the key by, thumbprint, or none")
	}
	return nil
}

// algorithm is a setting for the algorithm of ID tokens.
func algorithm(into *string) setting.Scalar {
	s := setting.Matching(into, checkAlg)
	s.Words = jose.Algorithms()
	return s
}

func checkAlg(s string) *setting.Fault {
	if strings.EqualFold(s, "none") {
		return setting.NewFault("can't be none",
			"write the algorithm that this client is registered with: "+
				"anybody could make an unsigned ID token")
	}
	return setting.CheckOneOf(s, jose.Algorithms())
}

// ownParams are the authorization request parameters that a login's security depends on. An
// operator who sets one turns off the check that goes with it. The last three would put a secret
// into a URL (RFC 9700 §4.3.2). The list is never written to.
var ownParams = []string{
	"client_id", "redirect_uri", "response_type", "response_mode", "scope", "state", "nonce",
	"code_challenge", "code_challenge_method", "request", "request_uri",
	"client_secret", "client_assertion", "code_verifier",
}

func checkAuthParam(name string) *setting.Fault {
	switch {
	case name == "scope" || name == "response_mode":
		key := map[string]string{"scope": "scopes", "response_mode": "response_mode"}[name]
		return setting.NewFault("can't be set here", "use the provider's own key for it: "+key)
	case slices.Contains(ownParams, name):
		return setting.NewFault("can't be set here",
			"take it out: cloakroom sets it itself, and the security of a login depends on it")
	}
	return nil
}
