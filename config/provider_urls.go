package config

import (
	"net/url"
	"regexp"
	"slices"
	"strings"

	"github.com/cloakroom/cloakroom/setting"
)

// checkProviderAddress takes the address of something on a provider's side: https, or http on this
// machine (MD2). Some have a query.
func checkProviderAddress(s string) *setting.Fault {
	address, query, _ := strings.Cut(s, "?")
	u, w := setting.ParseURL(address, "https://id.example.com/path")
	switch {
	case w != nil:
		return w
	case u.Scheme == "http" && !isLoopback(u.Hostname()):
		return setting.Wrong("is http, and its host is not this machine", "write https; only a provider on localhost, 127.0.0.0/8 or [::1] may be http")
	case strings.Contains(query, "#"):
		return setting.Wrong("has a fragment", "take out what begins with #")
	}
	return checkQuery(query)
}

// checkQuery takes a query that can go into a header as it is.
func checkQuery(query string) *setting.Fault {
	if _, err := url.ParseQuery(query); err != nil || !plainQuery.MatchString(query) {
		return setting.Wrong("has a query that is not percent-encoded", "write blanks and letters beyond ASCII as %20 and the like, and join parameters with &")
	}
	return nil
}

var (
	plainQuery  = regexp.MustCompile(`^[!$%&'()*+,./0-9:;=?@A-Z\[\]_a-z~-]*$`)
	placeholder = regexp.MustCompile(`\{[^{}]*\}`)
)

// endSessionPlaceholders are what a template of the end-session URL may hold.
func endSessionPlaceholders() []string {
	return []string{"{client_id}", "{post_logout_redirect_uri}", "{state}", "{id_token_hint}", "{logout_hint}"}
}

// checkEndSession takes auto, off, or a template of the URL that a logout sends browsers to. No
// placeholder may choose its host or path: it becomes a Location header (MD2).
func checkEndSession(s string) *setting.Fault {
	if s == "auto" || s == "off" {
		return nil
	}
	known := strings.Join(endSessionPlaceholders(), ", ")
	address, query, _ := strings.Cut(s, "?")
	if !strings.Contains(address, "://") {
		return setting.Wrong("is neither auto, off nor a URL", "write auto, off, or the provider's logout address, such as https://id.example.com/logout?client_id={client_id}&logout_uri={post_logout_redirect_uri}")
	}
	if strings.ContainsAny(address, "{}") {
		return setting.Wrong("has a placeholder in front of its query", "write host and path out; placeholders stand behind the ? alone")
	}
	for _, name := range placeholder.FindAllString(query, -1) {
		if !slices.Contains(endSessionPlaceholders(), name) {
			return setting.Wrong("has a placeholder that is not known", "the placeholders are "+known)
		}
	}
	filled := placeholder.ReplaceAllString(query, "x")
	if strings.ContainsAny(filled, "{}") {
		return setting.Wrong("has a brace that belongs to no placeholder", "write it as %7B or %7D; the placeholders are "+known)
	}
	if filled != "" {
		address += "?" + filled
	}
	return checkProviderAddress(address)
}

// checkKeyID takes the kid of client assertions.
func checkKeyID(s string) *setting.Fault {
	if s == "" || len(s) > 255 {
		return setting.Wrong("is not 1 to 255 characters long", "write the kid that the key has in the set that the provider knows, thumbprint, or none")
	}
	return nil
}

// tenantPlaceholder stands for the tenant in an issuer template, spelled as in Microsoft's metadata.
const tenantPlaceholder = "{tenantid}"

func isTemplate(issuer string) bool { return strings.ContainsAny(issuer, "{}") }

// checkIssuerTemplate takes one placeholder, as a whole segment of the path: no tenant may choose the host.
func checkIssuerTemplate(s string, u *url.URL) *setting.Fault {
	if strings.Count(s, "{") != 1 || strings.Count(s, "}") != 1 || !slices.Contains(strings.Split(u.Path, "/"), tenantPlaceholder) {
		return setting.Wrong("is no issuer, and no template either", "write "+tenantPlaceholder+" once, for a whole segment of the path: https://login.microsoftonline.com/"+tenantPlaceholder+"/v2.0; or write the issuer out")
	}
	return nil
}

var (
	tenantName = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,252}$`)
	guid       = regexp.MustCompile(`(?i)^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$`)
)

// checkTenant takes what stands in an issuer for the placeholder.
func checkTenant(s string) *setting.Fault {
	switch {
	case slices.Contains([]string{"common", "organizations", "consumers"}, s):
		return setting.Wrong("is Microsoft's word for many tenants, and no tenant", "list the ids of the tenants whose users may log in; metadata_url may hold that word")
	case guid.MatchString(s) && s != strings.ToLower(s):
		return setting.Wrong("has capital letters, which the id in a token has not", "write it in lower case")
	case !tenantName.MatchString(s):
		return setting.Wrong("is no tenant's id or name", "write letters, digits, dots, _ and -, as the provider's tokens spell it in iss")
	}
	return nil
}

// checkTenants compares the issuer with the tenants and the metadata's address.
func (r *reader) checkTenants(p Provider, key func(string) string) {
	if !r.Sound(key("issuer")) {
		return
	}
	if !isTemplate(p.Issuer) {
		if len(p.Tenants) > 0 {
			r.Report(key("tenants"), *setting.Wrong("is not used: the issuer has no "+tenantPlaceholder, "take it out, or write the issuer as a template: https://login.microsoftonline.com/"+tenantPlaceholder+"/v2.0"))
		}
		return
	}
	if len(p.Tenants) == 0 && r.well(key("tenants")) {
		r.Report(key("issuer"), *setting.Wrong("is a template, and no tenants are listed", "add tenants: and the ids of those whose users may log in; anybody can have a tenant of their own"))
	}
	r.need(key("metadata_url"), "add metadata_url: and where the metadata of all these tenants is, such as https://login.microsoftonline.com/organizations/v2.0/.well-known/openid-configuration")
}
