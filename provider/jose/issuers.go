package jose

import (
	"regexp"
	"strings"
)

// TenantPlaceholder stands for the tenant in an issuer template, spelled as in Microsoft's
// metadata.
const TenantPlaceholder = "{tenantid}"

// An Issuers says who may have issued a provider's tokens (ID1): the configured issuer, or, where
// that is a template, one for each listed tenant. Nobody else's tokens count, whatever tenants the
// provider has: anybody can open a tenant of their own at such a provider. It is not changed after
// NewIssuers.
type Issuers struct {
	configured string
	tenants    map[string]string // tenant by issuer; nil where configured is no template
}

// NewIssuers says who may issue tokens at a provider; tenants count only where configured is a
// template.
func NewIssuers(configured string, tenants []string) Issuers {
	i := Issuers{configured: configured}
	if IsTemplate(configured) {
		i.tenants = make(map[string]string, len(tenants))
		for _, t := range tenants {
			i.tenants[strings.Replace(configured, TenantPlaceholder, t, 1)] = t
		}
	}
	return i
}

// IsTemplate reports whether an issuer is a template, which makes an issuer for each tenant.
func IsTemplate(issuer string) bool { return strings.ContainsAny(issuer, "{}") }

// Has reports whether iss is exactly one of the issuers.
func (i Issuers) Has(iss string) bool {
	if i.tenants == nil {
		return iss == i.configured
	}
	_, ok := i.tenants[iss]
	return ok
}

// expected is the one issuer that a token with these claims must be of: the configured one, or, of
// a template, that of the listed tenant which the token names. go-oidc knows one issuer only.
func (i Issuers) expected(c Object) (iss string, ok bool) {
	if i.tenants == nil {
		return i.configured, true
	}
	iss, err := c.Text("iss")
	_, listed := i.tenants[iss]
	return iss, listed && err == nil
}

// Announced reports whether metadata may name iss (OIDC Discovery §4.3, MD1): by simple
// comparison, or, of a template, with a placeholder of the metadata's own in the same place.
func (i Issuers) Announced(iss string) bool {
	return i.Has(iss) ||
		i.tenants != nil && anyPlaceholder.ReplaceAllLiteralString(iss, TenantPlaceholder) == i.configured
}

// signs reports whether a key that the key set says to be keyIssuer's may sign for a tenant's iss.
// Microsoft's sets have keys that sign for one tenant alone, and that of everybody's own accounts
// is among them.
func (i Issuers) signs(keyIssuer, iss string) bool {
	return keyIssuer == "" || anyPlaceholder.ReplaceAllLiteralString(keyIssuer, i.tenants[iss]) == iss
}

var anyPlaceholder = regexp.MustCompile(`\{[A-Za-z_-]+\}`)
